/// What of a function's demand should be started now.
struct Wanted {
    var source: DemandSource
    /// Index of the demand, or -1 for the floor.
    var index: Int
    /// Expected surplus per megabyte, in milliseconds of saved start.
    var surplus: Double
    /// Milliseconds of start saved a second and megabyte: what it is compared with idle sandboxes by.
    var density: Double
    var origin: Origin
}

extension Pool {
    /// How long before it is due a prefetch of the function should begin.
    func lead(_ slot: Int) -> Nanoseconds {
        Nanoseconds(rounding: 1.25 * startEstimate(slot)) + configuration.leadMargin
    }

    /// Bytes that a prefetched sandbox of the function will hold.
    private func heldMegabytes(_ slot: Int) -> Double {
        let bytes = functions[slot].idleMemory.known ?? Double(functions[slot].spec.memoryLimit)
        return max(bytes, Double(configuration.minimumCharge), 1) / 1_048_576
    }

    /// The most worthwhile start that the function wants now; nil: none.
    func wanted(_ slot: Int) -> Wanted? {
        guard !functions[slot].isDeleted, !isDraining,
            !functions[slot].demands.isEmpty || functions[slot].alive < functions[slot].spec.minReady,
            functions[slot].spec.memoryLimit <= configuration.memoryBudget,
            functions[slot].alive < concurrency(slot)
        else { return nil }
        switch functions[slot].breaker.state(at: now) {
        case .closed: break
        case .open: return nil
        case .halfOpen: guard functions[slot].starting.isEmpty else { return nil }
        }
        if functions[slot].alive < functions[slot].spec.minReady {
            return Wanted(
                source: .floor, index: -1, surplus: .greatestFiniteMagnitude, density: .greatestFiniteMagnitude,
                origin: Origin(kind: .prefetch(.floor)))
        }
        let megabytes = heldMegabytes(slot)
        let saved = startEstimate(slot, from: .none) / 1e6 * functions[slot].spec.weight
        let have = functions[slot].idle.count + functions[slot].starting.count + functions[slot].onTime
        let lead = lead(slot)
        var best: Wanted?
        for (index, demand) in functions[slot].demands.enumerated() {
            guard demand.start - lead <= now, demand.end > now, demand.probability >= threshold.threshold,
                demand.tier ?? .ready == .ready, demand.owed ?? (demand.count - have) > 0, !isSpent(demand, slot)
            else { continue }
            if demand.owed == nil, now < functions[slot].prefetchHoldOff { continue }
            let worth = saved * demand.weight / megabytes
            let density = useRate(demand) * worth * trust[demand.source]
            let held = (demand.end - max(demand.start, now)).inSeconds
            let surplus = demand.probability * worth - configuration.price * held
            guard surplus > 0 || demand.owed != nil, surplus > best?.surplus ?? -.infinity else { continue }
            var origin = Origin(kind: .prefetch(demand.source))
            origin.probability = demand.probability
            origin.threshold = threshold.threshold
            origin.due = demand.start
            origin.until = demand.end
            origin.plan = demand.generation
            best = Wanted(
                source: demand.source, index: index, surplus: surplus, density: density, origin: origin)
        }
        return best
    }

    /// Brings the function's place among the prefetches, and in the demand for lower tiers, up to date.
    mutating func refreshPrefetch(_ slot: Int) {
        if functions[slot].demands.contains(where: { $0.end <= now }) {
            functions[slot].demands.removeAll { $0.end <= now }
            let first = functions[slot].idle.first
            if first >= 0 { reorder(first) }
        }
        if let wanted = wanted(slot) {
            prefetches.set(slot, SurplusKey(worth: wanted.surplus, slot: slot))
        } else {
            prefetches.remove(slot)
        }
        guard !functions[slot].demands.isEmpty else {
            declined.remove(slot)
            return setShelfDemand(slot, 0, .none)
        }
        var below = 0.0
        var medium = 0
        let spec = functions[slot].spec
        let tier: Tier = usesPool(.runtime, spec) ? .runtime : usesPool(.bare, spec) ? .bare : .none
        var shelfTier = tier
        let have = functions[slot].alive
        let lead = lead(slot)
        for demand in functions[slot].demands {
            let isHigh = demand.probability >= threshold.threshold
            if !isHigh { below = max(below, demand.probability) }
            let asked = demand.tier ?? .ready
            let buysLower = asked == .ready ? !isHigh : usesPool(asked, spec)
            if buysLower, demand.start - lead <= now, demand.count - have > medium,
                demand.probability >= threshold.threshold * configuration.mediumShare
            {
                medium = demand.count - have
                shelfTier = asked == .ready ? tier : asked
            }
        }
        setShelfDemand(slot, shelfTier == .none ? 0 : medium, shelfTier)
        if below > 0 { declined.set(slot, SurplusKey(worth: below, slot: slot)) } else { declined.remove(slot) }
    }

    /// Counts the function's medium-confidence demand in the shelf of `tier`.
    mutating func setShelfDemand(_ slot: Int, _ count: Int, _ tier: Tier) {
        let old = functions[slot].shelfDemandOn
        let new = count > 0 ? shelf(tier, functions[slot].spec.image, functions[slot].spec.runtime) : -1
        guard old != new || functions[slot].shelfDemand != count else { return }
        if old >= 0 { shelves[old].extra -= functions[slot].shelfDemand }
        if new >= 0 { shelves[new].extra += count }
        functions[slot].shelfDemand = count
        functions[slot].shelfDemandOn = new
        if old >= 0 { refreshShelf(old) }
        if new >= 0, new != old { refreshShelf(new) }
    }

    /// Begins starts that nobody waits for, the largest surplus per megabyte first, while no request waits for a start.
    mutating func startBackground() {
        guard !isDraining, pressure == .none, needy.isEmpty, dispatchable.isEmpty, awaiting.isEmpty,
            liveStarts < configuration.maxLiveStarts
        else { return }
        var blocked: [Int] = []
        while backgroundStarts < configuration.maxBackgroundStarts, blocked.count < passedOver,
            let slot = prefetches.first
        {
            guard let wanted = wanted(slot) else {
                refresh(slot)
                continue
            }
            if prefetch(slot, wanted) {
                refresh(slot)
            } else {
                prefetches.remove(slot)
                blocked.append(slot)
            }
        }
        for slot in blocked { refreshPrefetch(slot) }
        guard now >= refillAfter else { return }
        while backgroundStarts < configuration.maxBackgroundStarts, let shelf = hungryShelves.first {
            guard fill(shelf) else { break }
        }
    }

    private mutating func prefetch(_ slot: Int, _ wanted: Wanted) -> Bool {
        let shelved = shelvedSandbox(slot)
        let bytes = max(0, startCharge(slot) - (shelved.map { sandboxes[$0].charge } ?? 0))
        if let shelved { leaveEvictionOrder(shelved) }
        guard fitsBeside(bytes, places: shelved == nil ? 1 : 0, slot: slot, density: wanted.density) else {
            if let shelved { enterEvictionOrder(shelved) }
            return false
        }
        if wanted.index >= 0, let owed = functions[slot].demands[wanted.index].owed {
            functions[slot].demands[wanted.index].owed = owed - 1
        }
        begin(slot, from: shelved, .background, wanted.origin)
        let sandbox = functions[slot].starting.last
        ledger.started(wanted.source)
        out.append(
            .record(
                .prefetchStarted(
                    sandboxes[sandbox].id, functions[slot].spec.id, wanted.source,
                    probability: wanted.origin.probability, threshold: threshold.threshold)))
        return true
    }

    /// Whether a background start finds its memory and place free, with the live headroom left; evicts what is worth
    /// less than `density` per megabyte to make it so next time.
    mutating func fitsBeside(_ bytes: Int, places: Int, slot: Int, density: Double = 0) -> Bool {
        let headroom = density == .greatestFiniteMagnitude ? 0 : configuration.liveHeadroom
        var bytesShort = bytes + Int(Double(configuration.memoryBudget) * headroom) - available(for: slot)
        var placesShort = places == 0 ? 0 : places - (configuration.maxSandboxes - sandboxes.count)
        if bytesShort <= 0 && placesShort <= 0 { return true }
        bytesShort -= charges.evicting
        placesShort -= evictingCount
        // More than the few that are looked at could give.
        if bytesShort > passedOver * largestLimit { return false }
        ageVictims()
        var outbid: [(sandbox: Int, key: VictimKey)] = []
        while bytesShort > 0 || placesShort > 0, outbid.count < passedOver, let victim = victims.first,
            let key = victims.key(of: victim)
        {
            // A margin, so that two of nearly the same worth do not drive each other out in turn.
            guard sandboxes[victim].density < 0.8 * density, !keepsByFloor(victim) else { break }
            leaveEvictionOrder(victim)
            outbid.append((victim, key))
            bytesShort -= sandboxes[victim].charge
            placesShort -= 1
        }
        for (victim, key) in outbid {
            victims.set(victim, key)
            charges.evictable += sandboxes[victim].charge
        }
        if bytesShort <= 0 && placesShort <= 0 {
            for (victim, key) in outbid {
                policy.evicted(priority: key.priority)
                evict(victim, .outbid)
            }
        }
        return false
    }
}
