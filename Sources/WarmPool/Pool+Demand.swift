extension Pool {
    mutating func predict(_ prediction: Prediction) {
        guard let slot = functionSlots[prediction.function] else { return misfit(.unknownFunction) }
        guard prediction.probability >= 0, prediction.horizon >= .zero else { return misfit(.invalidValue) }
        let start = max(prediction.due, now)
        setDemand(
            slot,
            Demand(
                source: prediction.source, generation: 0, probability: min(prediction.probability, 1), start: start,
                end: max(prediction.due, .zero) + prediction.horizon,
                count: min(max(prediction.expectedCount, 1), 1 << 20),
                tier: nil, weight: 1, owed: nil))
    }

    mutating func trigger(
        _ function: FunctionID, _ probability: Double, _ count: Int, _ delay: Nanoseconds, _ ttl: Nanoseconds
    ) {
        guard let slot = functionSlots[function] else { return misfit(.unknownFunction) }
        guard probability >= 0, delay >= .zero, ttl >= .zero else { return misfit(.invalidValue) }
        setDemand(
            slot,
            Demand(
                source: .trigger, generation: 0, probability: min(probability, 1), start: now + delay,
                end: now + delay + ttl, count: min(max(count, 1), 1 << 20), tier: nil, weight: 1, owed: nil))
    }

    mutating func requestPrefetch(
        _ function: FunctionID, _ count: Int, _ tier: Tier?, _ ttl: Nanoseconds, _ confidence: Double
    ) {
        guard let slot = functionSlots[function] else { return misfit(.unknownFunction) }
        guard confidence > 0, tier != Tier.none, ttl >= .zero else { return misfit(.invalidValue) }
        let count = min(max(count, 1), 1 << 20)
        let there = functions[slot].idle.count + functions[slot].starting.count
        setDemand(
            slot,
            Demand(
                source: .request, generation: 0, probability: min(confidence, 1), start: now,
                end: now + (ttl == .zero ? configuration.defaultPrefetchTTL : ttl), count: count, tier: tier, weight: 1,
                owed: max(0, count - there)))
    }

    /// A start for an explicit prefetch failed: it is still owed.
    mutating func oweAgain(_ slot: Int) {
        for index in functions[slot].demands.indices where functions[slot].demands[index].source == .request {
            if let owed = functions[slot].demands[index].owed { functions[slot].demands[index].owed = owed + 1 }
        }
    }

    /// Enters a demand in place of the one of the same source.
    private mutating func setDemand(_ slot: Int, _ demand: Demand) {
        functions[slot].demands.removeAll { $0.source == demand.source }
        if demand.end > now { functions[slot].demands.append(demand) }
        demandChanged(slot)
    }

    private mutating func demandChanged(_ slot: Int) {
        // Only the sandboxes that would serve the demand are worth more or less for it.
        var foremost = policy.needsProbability ? Int.max : 1
        for demand in functions[slot].demands { foremost = max(foremost, demand.count) }
        var depth = 0
        var sandbox = functions[slot].idle.first
        while sandbox >= 0 {
            if depth < foremost { reorder(sandbox) }
            depth += 1
            if configuration.forecastEndsKeepAlive { armSandboxTimer(sandbox) }
            sandbox = sandboxLinks.next(sandbox)
        }
        refresh(slot)
    }

    /// Probability that the function is invoked within the value horizon: what is foreseen, or its own rate.
    func probability(_ slot: Int) -> Double {
        let horizon = configuration.valueHorizon
        var best = 0.0
        var isForecast = false
        for demand in functions[slot].demands where demand.end > now {
            if demand.source >= .forecast { isForecast = true }
            guard demand.start <= now + horizon else { continue }
            best = max(best, rescaled(demand.probability, from: demand.end - max(demand.start, now)))
        }
        if !isForecast, let last = functions[slot].lastArrival {
            // Silence longer than the mean gap is evidence of a lower rate.
            let gap = max(functions[slot].gap.known ?? Double(horizon.value), Double((now - last).value), 1)
            let uses = Double(horizon.value) / gap
            best = max(best, uses / (1 + uses))
        }
        return best
    }

    /// From one window to the value horizon, by a constant rate: odds grow in proportion to time.
    private func rescaled(_ probability: Double, from window: Nanoseconds) -> Double {
        let odds = min(probability, 0.999_999) / (1 - min(probability, 0.999_999))
        let scaled = odds * max(1, Double(configuration.valueHorizon.value) / Double(max(window.value, 1)))
        return scaled / (1 + scaled)
    }

    // MARK: Plans

    mutating func take(_ plan: Plan) {
        guard plan.generation > latestPlanGeneration else {
            return out.append(.record(.planRefused(generation: plan.generation, inForce: latestPlanGeneration)))
        }
        guard plan.ttl > .zero else { return misfit(.invalidValue) }
        clearPlan()
        latestPlanGeneration = plan.generation
        planInForce = (plan.generation, now + plan.ttl)
        planTaken = now
        var grouped: [FunctionID: [PlanEntry]] = [:]
        for entry in plan.entries {
            // In the order of the plan, not of the dictionary.
            if grouped[entry.function] == nil { planFunctions.append(entry.function) }
            grouped[entry.function, default: []].append(entry)
        }
        for function in planFunctions {
            guard let entries = grouped[function] else { continue }
            if let slot = functionSlots[function] { apply(entries, slot) } else { planWaiting[function] = entries }
        }
        out.append(.record(.planAccepted(generation: plan.generation, entries: plan.entries.count)))
    }

    /// Entries of the plan in force for a function that has just been registered.
    mutating func applyWaitingPlan(_ slot: Int) {
        guard let entries = planWaiting.removeValue(forKey: functions[slot].spec.id) else { return }
        apply(entries, slot)
    }

    private mutating func apply(_ entries: [PlanEntry], _ slot: Int) {
        guard let planInForce else { return }
        var memory = 0
        var cpu = 0
        for entry in entries {
            guard entry.confidence >= 0 else {
                misfit(.invalidValue)
                continue
            }
            let end = entry.windowEnd > entry.windowStart ? planTaken + entry.windowEnd : planInForce.until
            memory += min(max(entry.reservedMemory, 0), 1 << 42)
            cpu += min(max(entry.reservedMilliCPU, 0), 1 << 30)
            let steps = min(max(entry.priority, -16), 16)
            var weight = 1.0
            for _ in 0..<abs(steps) { weight *= steps > 0 ? 2 : 0.5 }
            let demand = Demand(
                source: .plan, generation: planInForce.generation, probability: min(entry.confidence, 1),
                start: planTaken + max(entry.windowStart, .zero), end: min(end, planInForce.until),
                count: min(max(entry.count, 1), 1 << 20), tier: entry.tier == Tier.none ? nil : entry.tier,
                weight: weight, owed: nil)
            if demand.end > now { functions[slot].demands.append(demand) }
        }
        if memory > 0 || cpu > 0, !setReservation(slot, memory: memory, cpu: cpu) {
            out.append(.record(.reservationRefused(functions[slot].spec.id, memory: memory, milliCPU: cpu)))
        }
        demandChanged(slot)
    }

    mutating func expirePlan() {
        guard let plan = planInForce, plan.until <= now else { return }
        clearPlan()
        out.append(.record(.planExpired(generation: plan.generation)))
    }

    /// What the plan asked for is no longer asked; its sandboxes age like any others.
    private mutating func clearPlan() {
        for function in planFunctions {
            guard let slot = functionSlots[function] else { continue }
            functions[slot].demands.removeAll { $0.source == .plan }
            setReservation(slot, memory: 0, cpu: 0)
            demandChanged(slot)
        }
        planFunctions.removeAll()
        planWaiting.removeAll()
        planInForce = nil
    }
}
