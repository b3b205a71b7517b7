/// The ladder of an idle sandbox: freeze, reclaim its memory, then demote or end it.
extension Pool {
    mutating func armSandboxTimer(_ sandbox: Int) { sandboxTimers.set(sandbox, nextStep(sandbox)) }

    private func nextStep(_ sandbox: Int) -> Instant {
        let end = expiry(sandbox)
        // At its expiry and still here: a floor keeps it. Looked at again later.
        var next = end > now ? end : now + max(keepAlive(sandboxes[sandbox].function), .seconds(1))
        let idleSince = sandboxes[sandbox].idleSince
        switch sandboxes[sandbox].park {
        case .awake: if let after = freezeAfter(sandbox) { next = min(next, max(idleSince + after, now)) }
        case .frozen: if let after = configuration.reclaimAfter { next = min(next, max(idleSince + after, now)) }
        case .reclaimed: break
        }
        return next
    }

    private func freezeAfter(_ sandbox: Int) -> Nanoseconds? {
        sandboxes[sandbox].function >= 0 ? configuration.freezeAfter : nil
    }

    private func keepAlive(_ slot: Int) -> Nanoseconds {
        slot >= 0 ? functions[slot].spec.keepAlive ?? configuration.keepAlive : configuration.keepAlive
    }

    /// When an idle sandbox has been kept long enough.
    func expiry(_ sandbox: Int) -> Instant {
        let state = sandboxes[sandbox]
        let slot = state.function
        guard slot >= 0 else { return state.idleSince + configuration.keepAlive }
        let isPrefetched = if case .prefetch = state.origin.kind { state.uses == 0 } else { false }
        var end = isPrefetched ? max(state.holdUntil, state.idleSince) : state.idleSince + keepAlive(slot)
        let keep = threshold.threshold * configuration.keepShare
        let lead = lead(slot)
        var isExpected = false
        var isForecast = false
        for demand in functions[slot].demands where demand.end > now {
            if demand.source >= .forecast { isForecast = true }
            guard demand.probability >= keep else { continue }
            // Demand covers as many idle sandboxes as it counts, the most recently used first.
            guard functions[slot].idle.count <= max(demand.count, 1) || functions[slot].idle.first == sandbox else {
                continue
            }
            if demand.start - lead <= max(end, now) {
                end = max(end, demand.end)
                isExpected = true
            }
        }
        if configuration.forecastEndsKeepAlive, isForecast, !isExpected, !isPrefetched {
            end = min(end, max(state.idleSince + configuration.minimumIdle, now))
        }
        return end
    }

    mutating func sandboxTimerFired(_ sandbox: Int) {
        let state = sandboxes[sandbox]
        if now >= expiry(sandbox), !keepsByFloor(sandbox), !isKeptOnShelf(sandbox) {
            if let tier = demotion(sandbox) { demote(sandbox, to: tier) } else { evict(sandbox, .expired) }
            return
        }
        if state.park == .awake, let after = freezeAfter(sandbox), now >= state.idleSince + after {
            freeze(sandbox)
        } else if state.park == .frozen, let after = configuration.reclaimAfter, now >= state.idleSince + after {
            reclaim(sandbox)
        }
        armSandboxTimer(sandbox)
    }

    mutating func freeze(_ sandbox: Int) {
        sandboxes[sandbox].park = .frozen
        out.append(.freeze(sandboxes[sandbox].id))
    }

    mutating func reclaim(_ sandbox: Int) {
        sandboxes[sandbox].park = .reclaimed
        out.append(.reclaim(sandboxes[sandbox].id))
    }

    /// The lower tier that an expired sandbox should go back to, if the pool there is short of one.
    private func demotion(_ sandbox: Int) -> Tier? {
        guard let tier = configuration.demoteTo, sandboxes[sandbox].function >= 0, !isDraining,
            let shelf = shelfSlots[shelfKey(tier, sandboxes[sandbox].image, sandboxes[sandbox].runtime)],
            shelves[shelf].idle.count + shelves[shelf].starting.count < shelfTarget(shelf)
        else { return nil }
        return tier
    }

    private mutating func demote(_ sandbox: Int, to tier: Tier) {
        let slot = sandboxes[sandbox].function
        settleLedger(sandbox, .unused)
        leaveIdle(sandbox)
        if sandboxes[sandbox].park != .awake {
            out.append(.thaw(sandboxes[sandbox].id))
            sandboxes[sandbox].park = .awake
        }
        sandboxes[sandbox].phase = .demoting
        sandboxes[sandbox].target = tier
        functions[slot].leaving += 1
        demotingCount += 1
        out.append(.demote(sandboxes[sandbox].id, to: tier))
        refresh(slot)
    }
}
