extension Pool {
    /// Nanoseconds that a start to readiness is expected to take from the best tier in hand.
    func startEstimate(_ slot: Int) -> Double {
        let tier = shelvedSandbox(slot).map { sandboxes[$0].tier } ?? .none
        return startEstimate(slot, from: tier)
    }

    func startEstimate(_ slot: Int, from tier: Tier) -> Double {
        let known =
            switch tier {
            case .bare: functions[slot].starts.bare.known
            case .runtime: functions[slot].starts.runtime.known
            default: functions[slot].starts.none.known
            }
        return known ?? max(0, Double(functions[slot].spec.startCosts[tier].value))
    }

    /// How many more starts the waiting requests call for. Single-flight: never more under way than requests that
    /// neither an idle sandbox nor one that frees in time will take.
    func startsNeeded(_ slot: Int, besidesAwaiting ignored: Int = 0) -> Int {
        let waiting = functions[slot].queue.count - functions[slot].idle.count
        guard waiting > 0, !functions[slot].isDeleted else { return 0 }
        var covered = 0
        if let service = functions[slot].service.known, functions[slot].onTime > 0 {
            // What the running sandboxes can serve before a start begun now would be ready.
            let turns = Double(functions[slot].onTime) * startEstimate(slot) / max(service, 1)
            covered = turns >= Double(waiting) ? waiting : Int(turns)
        }
        let underWay = functions[slot].starting.count + functions[slot].awaitingStarts - ignored
        let needed = waiting - covered - underWay
        let alive = functions[slot].alive + functions[slot].awaitingStarts - ignored
        let share = max(1, configuration.maxLiveStarts * 3 / 4)
        let allowed = min(needed, concurrency(slot) - alive, share - underWay)
        switch functions[slot].breaker.state(at: now) {
        case .closed: return allowed
        case .open where configuration.liveWhileOpen == .failFast: return 0
        case .open, .halfOpen: return min(allowed, underWay == 0 ? 1 : 0)
        }
    }

    /// Begins the starts that requests wait for, one a turn, the function that received the least service first.
    mutating func startLive() {
        guard !needy.isEmpty else { return }
        var blocked: [Int] = []
        while liveStarts + awaitingStarts < configuration.maxLiveStarts, blocked.count < passedOver,
            let slot = needy.first
        {
            if startForRequest(slot) != .none {
                refresh(slot)
            } else {
                needy.remove(slot)
                blocked.append(slot)
            }
        }
        for slot in blocked { refresh(slot) }
    }

    /// Starts under way count as service received, so that a burst of one function leaves others their turn.
    func startKey(_ slot: Int) -> FairKey {
        FairKey(
            pass: functions[slot].pass
                + Double(functions[slot].starting.count + functions[slot].awaitingStarts) / functions[slot].spec.weight,
            slot: slot)
    }

    private mutating func startForRequest(_ slot: Int) -> Room {
        let shelved = shelvedSandbox(slot)
        let bytes = max(0, startCharge(slot) - (shelved.map { sandboxes[$0].charge } ?? 0))
        let isPatient = now < requests[functions[slot].queue.first].arrival + configuration.patience
        let places = shelved == nil ? 1 : 0
        if let shelved { leaveEvictionOrder(shelved) }
        let room = makeRoom(bytes, places: places, for: slot, partly: !isPatient)
        if let shelved { enterEvictionOrder(shelved) }
        switch room {
        case .now:
            if yieldTo?.function == slot { yieldTo = nil }
            begin(slot, from: shelved, .live, Origin(kind: .request))
        case .coming: promise(Awaiting(function: slot, bytes: bytes, places: places, isClaim: false))
        case .none: yield(to: slot, bytes, places: places, isPatient)
        }
        return room
    }

    /// Begins a start of the function to the ready tier, from a sandbox of a lower tier or from nothing.
    mutating func begin(_ slot: Int, from shelved: Int?, _ weight: StartWeight, _ origin: Origin) {
        let spec = functions[slot].spec
        let sandbox: Int
        if let shelved {
            sandbox = shelved
            if weight == .live { holdRefill(slot, from: sandboxes[shelved].tier) }
            takeFromShelf(sandbox, isUse: true)
            sandboxes[sandbox].function = slot
            sandboxes[sandbox].generation = spec.generation
            // Its bytes become the function's.
            let held = sandboxes[sandbox].charge
            charges.total -= held
            sandboxes[sandbox].charge = 0
            sandboxes[sandbox].startedFrom = sandboxes[sandbox].tier
            counters.promoted += 1
            out.append(
                .promote(
                    sandboxes[sandbox].id, function: spec.id, generation: spec.generation, to: .ready, weight: weight))
        } else {
            sandbox = newSandbox(
                function: slot, shelf: -1, image: spec.image, runtime: spec.runtime, generation: spec.generation,
                target: .ready, weight: weight, origin: origin)
            counters.created += 1
        }
        sandboxes[sandbox].limit = spec.memoryLimit
        sandboxes[sandbox].target = .ready
        sandboxes[sandbox].phase = .starting
        sandboxes[sandbox].origin = origin
        sandboxes[sandbox].weight = weight
        sandboxes[sandbox].startedAt = now
        sandboxes[sandbox].holdUntil = origin.until
        setCharge(sandbox, startCharge(slot))
        sandboxLinks.append(sandbox, to: &functions[slot].starting)
        if weight == .background { functions[slot].backgroundStarting += 1 }
        countStart(sandbox)
    }

    mutating func countStart(_ sandbox: Int) {
        starts += 1
        sandboxes[sandbox].countsAsBackground = sandboxes[sandbox].weight == .background
        if sandboxes[sandbox].countsAsBackground { backgroundStarts += 1 } else { liveStarts += 1 }
    }

    /// Enters a sandbox that begins from nothing and says to create it.
    mutating func newSandbox(
        function: Int, shelf: Int, image: ImageID, runtime: RuntimeClass, generation: UInt64, target: Tier,
        weight: StartWeight, origin: Origin
    ) -> Int {
        let id = SandboxID(nextSandboxID)
        nextSandboxID += 1
        let sandbox = sandboxes.insert(
            SandboxState(
                id: id, function: function, shelf: shelf, image: image, runtime: runtime, generation: generation,
                phase: .starting, tier: .none, target: target, startedFrom: .none, weight: weight, origin: origin,
                createdAt: now, startedAt: now,
                limit: configuration.memoryBudget))
        sandboxSlots[id] = sandbox
        out.append(
            .create(
                Creation(
                    sandbox: id, image: image, runtime: runtime,
                    function: function >= 0 ? functions[function].spec.id : nil, generation: generation, tier: target,
                    weight: weight)))
        return sandbox
    }

    /// Raises background starts of the function while requests wait that nothing else serves.
    mutating func raiseStarts(_ slot: Int) {
        let live = functions[slot].starting.count - functions[slot].backgroundStarting
        var lacking = functions[slot].queue.count - functions[slot].idle.count - live
        var sandbox = functions[slot].starting.first
        while lacking > 0, functions[slot].backgroundStarting > 0, sandbox >= 0 {
            if sandboxes[sandbox].weight == .background {
                sandboxes[sandbox].weight = .live
                functions[slot].backgroundStarting -= 1
                out.append(.raise(sandboxes[sandbox].id))
                lacking -= 1
            }
            sandbox = sandboxLinks.next(sandbox)
        }
    }

    /// Takes a sandbox out of the starts under way of its function or shelf.
    mutating func endStart(_ sandbox: Int) {
        let slot = sandboxes[sandbox].function
        if slot >= 0 {
            sandboxLinks.remove(sandbox, from: &functions[slot].starting)
            if sandboxes[sandbox].weight == .background { functions[slot].backgroundStarting -= 1 }
        } else {
            sandboxLinks.remove(sandbox, from: &shelves[sandboxes[sandbox].shelf].starting)
        }
        starts -= 1
        if sandboxes[sandbox].countsAsBackground { backgroundStarts -= 1 } else { liveStarts -= 1 }
    }
}
