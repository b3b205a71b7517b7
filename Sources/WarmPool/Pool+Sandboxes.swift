extension Pool {
    mutating func ready(_ id: SandboxID, _ tier: Tier, _ cost: Nanoseconds, _ memory: Int) {
        guard let sandbox = sandboxSlots[id] else { return misfit(.unknownSandbox) }
        let phase = sandboxes[sandbox].phase
        guard phase == .starting || phase == .demoting, tier > .none, tier <= sandboxes[sandbox].target,
            phase == .demoting ? tier == sandboxes[sandbox].target : tier > sandboxes[sandbox].tier
        else { return misfit(.unexpectedState) }
        sandboxes[sandbox].tier = tier
        sandboxes[sandbox].measured = plausible(memory > 0 ? memory : sandboxes[sandbox].limit, sandbox)
        if phase == .starting {
            noteReached(sandbox, tier)
            guard tier == sandboxes[sandbox].target else { return }
            endStart(sandbox)
        }
        guard sandboxes[sandbox].target == .ready else { return shelve(sandbox) }

        let slot = sandboxes[sandbox].function
        let took = cost > .zero ? cost : now - sandboxes[sandbox].startedAt
        noteStartCost(slot, sandboxes[sandbox], Double(took.value))
        if functions[slot].breaker.succeeded() { out.append(.record(.breakerClosed(functions[slot].spec.id))) }
        functions[slot].retryAt = .zero
        if memory > 0 { functions[slot].idleMemory.add(Double(sandboxes[sandbox].measured)) }
        becomeIdle(sandbox)
        // Its memory was charged while it started: the request that waited takes it over before anyone else can.
        let request = functions[slot].queue.first
        if request >= 0, fitsCPU(functions[slot].spec.milliCPU, slot) { dispatch(request, sandbox) }
        refresh(slot)
    }

    private mutating func noteReached(_ sandbox: Int, _ tier: Tier) {
        if tier >= .bare { sandboxes[sandbox].bareAt = min(sandboxes[sandbox].bareAt, now) }
        if tier >= .runtime { sandboxes[sandbox].runtimeAt = min(sandboxes[sandbox].runtimeAt, now) }
        if tier >= .ready { sandboxes[sandbox].readyAt = min(sandboxes[sandbox].readyAt, now) }
    }

    /// Background starts run at idle weight and so take longer: they count only until a live one was measured.
    private mutating func noteStartCost(_ slot: Int, _ sandbox: SandboxState, _ nanoseconds: Double) {
        let known =
            switch sandbox.startedFrom {
            case .bare: functions[slot].starts.bare.known
            case .runtime: functions[slot].starts.runtime.known
            default: functions[slot].starts.none.known
            }
        if sandbox.countsAsBackground, known != nil { return }
        switch sandbox.startedFrom {
        case .bare: functions[slot].starts.bare.add(nanoseconds)
        case .runtime: functions[slot].starts.runtime.add(nanoseconds)
        default: functions[slot].starts.none.add(nanoseconds)
        }
    }

    /// Parks a ready sandbox.
    mutating func becomeIdle(_ sandbox: Int) {
        let slot = sandboxes[sandbox].function
        sandboxes[sandbox].phase = .idle
        sandboxes[sandbox].park = .awake
        sandboxes[sandbox].idleSince = now
        sandboxes[sandbox].heldSince = now
        setCharge(sandbox, idleCharge(sandbox))
        unshield(slot)
        let former = functions[slot].idle.first
        sandboxLinks.prepend(sandbox, to: &functions[slot].idle)
        beginWatch(sandbox)
        enterEvictionOrder(sandbox)
        // What is foreseen is no longer the former first one's to serve.
        if former >= 0, !functions[slot].demands.isEmpty { reorder(former) }
        armSandboxTimer(sandbox)
    }

    mutating func failed(_ id: SandboxID, _ stage: StartStage) {
        guard let sandbox = sandboxSlots[id] else { return misfit(.unknownSandbox) }
        switch sandboxes[sandbox].phase {
        case .starting: startFailed(sandbox, stage)
        case .demoting: erase(sandbox)
        case .evicting:
            // Its request had its answer first, and it is spent.
            if sandboxes[sandbox].uses > 0 { takeBackSuccess(sandbox, stage) }
            erase(sandbox)
        case .idle, .running:
            takeBackSuccess(sandbox, stage)
            gone(id)
        }
    }

    /// It was ready before all that had been asked of it was done, and something of that failed.
    private mutating func takeBackSuccess(_ sandbox: Int, _ stage: StartStage) {
        let slot = sandboxes[sandbox].function
        guard slot >= 0 else {
            _ = shelves[sandboxes[sandbox].shelf].breaker.failedAfterAll(at: now, configuration.breaker)
            return
        }
        countFailedStart(slot, stage, functions[slot].breaker.failedAfterAll(at: now, configuration.breaker))
    }

    /// Starts that fail open the function's breaker; what is not its own fault is at least not tried again at once.
    private mutating func countFailedStart(_ slot: Int, _ stage: StartStage, _ openUntil: Instant?) {
        functions[slot].counters.startFailures += 1
        if let until = openUntil {
            out.append(
                .record(
                    .breakerOpened(functions[slot].spec.id, until: until, failures: functions[slot].breaker.failures)))
        }
        if !stage.isFunctionsFault { functions[slot].retryAt = now + configuration.retryPause }
    }

    mutating func gone(_ id: SandboxID) {
        guard let sandbox = sandboxSlots[id] else { return misfit(.unknownSandbox) }
        switch sandboxes[sandbox].phase {
        case .starting: startFailed(sandbox, .sandbox)
        case .demoting, .evicting: erase(sandbox)
        case .idle:
            settleLedger(sandbox, .void)
            if sandboxes[sandbox].function >= 0 { leaveIdle(sandbox) } else { takeFromShelf(sandbox) }
            erase(sandbox)
        case .running:
            let slot = sandboxes[sandbox].function
            let request = sandboxes[sandbox].request
            functions[slot].counters.lost += 1
            out.append(.lost(requests[request].id, sandbox: id))
            forget(request)
            stopRunning(sandbox)
            erase(sandbox)
        }
    }

    private mutating func startFailed(_ sandbox: Int, _ stage: StartStage) {
        let slot = sandboxes[sandbox].function
        let weight = sandboxes[sandbox].weight
        settleLedger(sandbox, .void)
        endStart(sandbox)
        guard slot >= 0 else {
            let shelf = sandboxes[sandbox].shelf
            _ = shelves[shelf].breaker.failed(at: now, configuration.breaker)
            erase(sandbox)
            return refreshShelf(shelf)
        }
        countFailedStart(slot, stage, functions[slot].breaker.failed(at: now, configuration.breaker))
        if case .prefetch(.request) = sandboxes[sandbox].origin.kind { oweAgain(slot) }
        // Each failed start that a request waited for counts against one request, the oldest, so that the others still
        // have their own: nobody waits for ever on code that cannot start, and one failure does not fail a burst.
        let request = functions[slot].queue.first
        if weight == .live, request >= 0 {
            requests[request].attempts += 1
            if stage.isFunctionsFault || requests[request].attempts >= configuration.maxStartAttempts {
                reject(request, .startFailed(stage))
            }
        }
        erase(sandbox)
    }

    /// Takes an idle ready sandbox out of everything that idle ones are in.
    mutating func leaveIdle(_ sandbox: Int, isUse: Bool = false) {
        leaveEvictionOrder(sandbox)
        sandboxTimers.remove(sandbox)
        ages.remove(sandbox)
        watch(sandbox, isUse: isUse)
        sandboxLinks.remove(sandbox, from: &functions[sandboxes[sandbox].function].idle)
    }

    /// Forgets a sandbox that no longer exists and is in no list.
    mutating func erase(_ sandbox: Int) {
        setCharge(sandbox, 0)
        let slot = sandboxes[sandbox].function
        switch sandboxes[sandbox].phase {
        case .evicting:
            evictingCount -= 1
            if slot >= 0 { functions[slot].leaving -= 1 }
        case .demoting:
            demotingCount -= 1
            functions[slot].leaving -= 1
        case .starting, .idle, .running: break
        }
        sandboxTimers.remove(sandbox)
        sandboxSlots[sandboxes[sandbox].id] = nil
        sandboxes.remove(sandbox)
        guard slot >= 0 else { return }
        refresh(slot)
        releaseFunction(slot)
    }

    mutating func sample(_ id: SandboxID, _ bytes: Int) {
        guard let sandbox = sandboxSlots[id] else { return misfit(.unknownSandbox) }
        sandboxes[sandbox].measured = plausible(bytes, sandbox)
        switch sandboxes[sandbox].phase {
        case .idle:
            settleLedger(sandbox, .held)
            setCharge(sandbox, idleCharge(sandbox))
            if sandboxes[sandbox].function >= 0 {
                functions[sandboxes[sandbox].function].idleMemory.add(Double(sandboxes[sandbox].measured))
            }
            reorder(sandbox)
        case .running: if configuration.runningCharge == .measured { setCharge(sandbox, runCharge(sandbox)) }
        case .starting, .demoting, .evicting: break
        }
    }

    mutating func adopt(_ adopted: AdoptedSandbox) {
        guard sandboxSlots[adopted.sandbox] == nil else { return misfit(.duplicateSandbox) }
        guard adopted.tier > .none, adopted.sandbox.rawValue < .max else { return misfit(.invalidValue) }
        nextSandboxID = max(nextSandboxID, adopted.sandbox.rawValue + 1)
        let slot = adopted.tier == .ready ? adopted.function.flatMap { functionSlots[$0] } : nil
        let isWanted =
            adopted.tier == .ready
            ? slot.map {
                functions[$0].spec.generation == adopted.generation && functions[$0].alive < concurrency($0)
            } ?? false
            : poolTarget(adopted.tier) > 0
        var state = SandboxState(
            id: adopted.sandbox, function: slot ?? -1, shelf: -1, image: adopted.image, runtime: adopted.runtime,
            generation: adopted.generation, phase: .idle, tier: adopted.tier, target: adopted.tier,
            startedFrom: .none, weight: .background, origin: Origin(kind: .adopted), createdAt: now, startedAt: now,
            limit: slot.map { functions[$0].spec.memoryLimit } ?? configuration.memoryBudget)
        state.bareAt = now
        state.runtimeAt = adopted.tier >= .runtime ? now : .distantFuture
        state.readyAt = adopted.tier >= .ready ? now : .distantFuture
        state.uses = max(0, min(adopted.uses, 1 << 40))
        state.idleSince = now
        state.heldSince = now
        let sandbox = sandboxes.insert(state)
        sandboxSlots[adopted.sandbox] = sandbox
        sandboxes[sandbox].measured = plausible(adopted.memory, sandbox)
        guard isWanted, !isDraining || keepsOnDrain else {
            setCharge(sandbox, idleCharge(sandbox))
            return beginEviction(sandbox, .notAdopted)
        }
        guard let slot else { return shelve(sandbox) }
        becomeIdle(sandbox)
        if adopted.isFrozen { sandboxes[sandbox].park = .frozen }
        refresh(slot)
    }
}
