extension Pool {
    mutating func register(_ spec: FunctionSpec) {
        guard functionSlots[spec.id] == nil else { return misfit(.duplicateFunction) }
        let slot = functions.insert(FunctionState(spec: spec))
        functionSlots[spec.id] = slot
        largestLimit = max(largestLimit, spec.memoryLimit)
        useShelves(of: spec, by: 1)
        applyWaitingPlan(slot)
        refresh(slot)
    }

    mutating func update(_ spec: FunctionSpec) {
        guard let slot = functionSlots[spec.id] else { return misfit(.unknownFunction) }
        let old = functions[slot].spec
        guard spec.generation >= old.generation else { return misfit(.olderGeneration) }
        useShelves(of: spec, by: 1)
        useShelves(of: old, by: -1)
        functions[slot].spec = spec
        largestLimit = max(largestLimit, spec.memoryLimit)
        if spec.generation > old.generation {
            evictStale(slot, .staleCode)
            // New code has a fresh chance, and its costs are unknown.
            functions[slot].breaker = CircuitBreaker()
            functions[slot].retryAt = .zero
            functions[slot].starts = (Estimator(), Estimator(), Estimator())
            functions[slot].service = Estimator()
            functions[slot].idleMemory = Estimator()
        }
        if spec.memoryLimit > configuration.memoryBudget { rejectAll(slot, .tooLarge) }
        unshield(slot)
        refresh(slot)
    }

    mutating func delete(_ id: FunctionID) {
        guard let slot = functionSlots.removeValue(forKey: id) else { return misfit(.unknownFunction) }
        functions[slot].isDeleted = true
        functions[slot].demands = []
        setReservation(slot, memory: 0, cpu: 0)
        rejectAll(slot, .functionDeleted)
        evictStale(slot, .functionDeleted)
        useShelves(of: functions[slot].spec, by: -1)
        refresh(slot)
        releaseFunction(slot)
    }

    mutating func rejectAll(_ slot: Int, _ reason: RejectReason) {
        while functions[slot].queue.first >= 0 { reject(functions[slot].queue.first, reason) }
    }

    /// Evicts idle and starting sandboxes that are not of the function's present generation, or all if it is deleted.
    private mutating func evictStale(_ slot: Int, _ reason: EvictionReason) {
        for list in [functions[slot].idle, functions[slot].starting] {
            var sandbox = list.first
            while sandbox >= 0 {
                let next = sandboxLinks.next(sandbox)
                if functions[slot].isDeleted || sandboxes[sandbox].generation != functions[slot].spec.generation {
                    evict(sandbox, reason)
                }
                sandbox = next
            }
        }
    }

    /// Forgets a deleted function once nothing of it is left.
    mutating func releaseFunction(_ slot: Int) {
        guard functions[slot].isDeleted, functions[slot].alive == 0, functions[slot].leaving == 0,
            functions[slot].queue.isEmpty, functions[slot].awaitingStarts + functions[slot].awaitingClaims == 0
        else { return }
        dispatchable.remove(slot)
        needy.remove(slot)
        prefetches.remove(slot)
        declined.remove(slot)
        functionTimers.remove(slot)
        if yieldTo?.function == slot { yieldTo = nil }
        functions.remove(slot)
    }

    /// Brings the function's places in all orders up to date; after every change of its queue, sandboxes or demands.
    mutating func refresh(_ slot: Int) {
        guard !functions[slot].isDeleted else {
            dispatchable.remove(slot)
            needy.remove(slot)
            prefetches.remove(slot)
            declined.remove(slot)
            functionTimers.remove(slot)
            setShelfDemand(slot, 0, .none)
            return
        }
        markOverdue(slot)
        let waiting = functions[slot].queue.count
        let claims = functions[slot].awaitingClaims
        if waiting > claims && functions[slot].idle.count > claims {
            dispatchable.set(slot, FairKey(pass: functions[slot].pass, slot: slot))
        } else {
            dispatchable.remove(slot)
        }
        if waiting > 0 && functions[slot].backgroundStarting > 0 { raiseStarts(slot) }
        if startsNeeded(slot) > 0 && now >= functions[slot].retryAt {
            needy.set(slot, startKey(slot))
        } else {
            needy.remove(slot)
            if yieldTo?.function == slot, waiting == 0 { yieldTo = nil }
        }
        refreshPrefetch(slot)
        armFunctionTimer(slot)
    }
}
