extension Pool {
    /// Begins the end of a sandbox that is idle or starting; running ones are left alone.
    mutating func evict(_ sandbox: Int, _ reason: EvictionReason) {
        let slot = sandboxes[sandbox].function
        switch sandboxes[sandbox].phase {
        case .starting:
            settleLedger(sandbox, .void)
            endStart(sandbox)
        case .idle:
            let isOutdated = reason == .staleCode || reason == .functionDeleted
            settleLedger(sandbox, isOutdated ? .void : .unused)
            if slot >= 0 {
                let isUnused = sandboxes[sandbox].uses == 0
                if isUnused, reason == .makeRoom || reason == .outbid || reason == .memoryPressure {
                    functions[slot].prefetchHoldOff = now + configuration.holdOff
                }
                leaveIdle(sandbox)
            } else {
                takeFromShelf(sandbox)
            }
        case .running, .demoting, .evicting: return
        }
        let shelf = sandboxes[sandbox].shelf
        beginEviction(sandbox, reason)
        if slot >= 0 { refresh(slot) } else if shelf >= 0 { refreshShelf(shelf) }
    }

    /// Says that a sandbox which is in no list any more is to end.
    mutating func beginEviction(_ sandbox: Int, _ reason: EvictionReason) {
        let charge = sandboxes[sandbox].charge
        sandboxes[sandbox].phase = .evicting
        charges.evicting += charge
        evictingCount += 1
        if sandboxes[sandbox].function >= 0 { functions[sandboxes[sandbox].function].leaving += 1 }
        counters.evicted[Int(reason.rawValue)] += 1
        out.append(.evict(sandboxes[sandbox].id, reason))
    }

    mutating func enterEvictionOrder(_ sandbox: Int) {
        guard !victims.contains(sandbox) else { return }
        victims.set(sandbox, victimKey(sandbox))
        charges.evictable += sandboxes[sandbox].charge
    }

    mutating func leaveEvictionOrder(_ sandbox: Int) {
        if victims.contains(sandbox) {
            victims.remove(sandbox)
            charges.evictable -= sandboxes[sandbox].charge
        } else if shielded.contains(sandbox) {
            shielded.remove(sandbox)
            functions[sandboxes[sandbox].function].shielded -= 1
        }
    }

    /// Whether evicting this idle sandbox would leave its function below its floor.
    func keepsByFloor(_ sandbox: Int) -> Bool {
        let slot = sandboxes[sandbox].function
        return slot >= 0 && functions[slot].alive <= functions[slot].spec.minReady
    }

    /// Takes a sandbox that a floor keeps out of the eviction order, until the function has more than its floor.
    mutating func shield(_ sandbox: Int) {
        guard let key = victims.key(of: sandbox) else { return }
        leaveEvictionOrder(sandbox)
        shielded.set(sandbox, key)
        functions[sandboxes[sandbox].function].shielded += 1
    }

    /// Puts the function's shielded sandboxes back; they are looked at again when their turn comes.
    mutating func unshield(_ slot: Int) {
        guard functions[slot].shielded > 0 else { return }
        var sandbox = functions[slot].idle.first
        while sandbox >= 0 {
            if shielded.contains(sandbox) {
                leaveEvictionOrder(sandbox)
                enterEvictionOrder(sandbox)
            }
            sandbox = sandboxLinks.next(sandbox)
        }
    }

    mutating func victimKey(_ sandbox: Int) -> VictimKey {
        let candidate = candidate(sandbox)
        sandboxes[sandbox].density = candidate.density
        return VictimKey(
            priority: sandboxes[sandbox].clockAtIdle + policy.worth(of: candidate),
            lastUsed: sandboxes[sandbox].idleSince, id: sandboxes[sandbox].id)
    }

    private func candidate(_ sandbox: Int) -> EvictionCandidate {
        let idleSince = sandboxes[sandbox].idleSince
        let slot = sandboxes[sandbox].function
        let megabytes = Double(max(sandboxes[sandbox].measured, configuration.minimumCharge)) / 1_048_576
        guard slot >= 0 else {
            let isRuntime = sandboxes[sandbox].tier == .runtime
            let cost = isRuntime ? configuration.runtimeStartCost : configuration.bareStartCost
            return EvictionCandidate(
                lastUsed: idleSince, useRate: useRate(sandbox), probability: 0.5, startCost: cost.inMilliseconds,
                megabytes: megabytes, weight: 1)
        }
        // Of several idle ones the last serves least often.
        let rank = Double(max(functions[slot].idle.count, 1))
        return EvictionCandidate(
            lastUsed: idleSince, useRate: useRate(sandbox),
            probability: policy.needsProbability ? probability(slot) / rank : 0,
            startCost: startEstimate(slot, from: .none) / 1e6, megabytes: megabytes,
            weight: functions[slot].spec.weight)
    }

    mutating func evictOnRequest(_ target: EvictionTarget) {
        switch target {
        case .sandbox(let id):
            guard let sandbox = sandboxSlots[id] else { return misfit(.unknownSandbox) }
            evict(sandbox, .requested)
        case .function(let id):
            guard let slot = functionSlots[id] else { return misfit(.unknownFunction) }
            while functions[slot].idle.first >= 0 { evict(functions[slot].idle.first, .requested) }
        case .all: evictAllIdle(.requested)
        }
    }

    mutating func evictAllIdle(_ reason: EvictionReason) {
        while let sandbox = victims.first ?? shielded.first { evict(sandbox, reason) }
    }

    mutating func press(_ level: MemoryPressure) {
        pressure = level
        note(threshold.pressed(level))
        guard level > .none else {
            refreshDeclined()
            return
        }
        ageVictims()
        let count = level == .critical ? max(1, victims.count / 10) : 0
        for _ in 0..<count {
            guard let victim = victims.first else { break }
            if keepsByFloor(victim) { shield(victim) } else { evict(victim, .memoryPressure) }
        }
        // Of the sandboxes nearest to eviction, memory is given back without ending them.
        for sandbox in victims.prefix(16) where sandboxes[sandbox].function >= 0 {
            if sandboxes[sandbox].park == .awake { freeze(sandbox) }
            if sandboxes[sandbox].park == .frozen { reclaim(sandbox) }
        }
    }
}
