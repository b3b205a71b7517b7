/// Functions passed over in one round because what they need is not there; more would cost time for little.
let passedOver = 8

extension Pool {
    /// Hands waiting requests to idle sandboxes, the function that received the least service first.
    mutating func dispatchWaiting() {
        guard !dispatchable.isEmpty else { return }
        var blocked: [Int] = []
        var cpuIsShort = false
        while blocked.count < passedOver, let slot = dispatchable.first {
            let cpu = functions[slot].spec.milliCPU
            if !fitsCPU(cpu, slot, onlyReserved: cpuIsShort) {
                cpuIsShort = true
            } else {
                switch claim(slot) {
                case .now, .coming:
                    refresh(slot)
                    continue
                case .none: break
                }
            }
            dispatchable.remove(slot)
            blocked.append(slot)
        }
        // Room made for one may have cost another its sandbox: each place is worked out anew.
        for slot in blocked { refresh(slot) }
    }

    func fitsCPU(_ milliCPU: Int, _ slot: Int, onlyReserved: Bool = false) -> Bool {
        guard configuration.cpuBudget > 0 else { return true }
        if onlyReserved { return milliCPU > 0 && milliCPU <= cpuGap(slot) }
        if charges.cpu == 0 { return true }
        return charges.cpu + milliCPU <= configuration.cpuBudget - (charges.reservedCPUGap - cpuGap(slot))
    }

    /// Runs the function's oldest request in its most recently used sandbox, if its memory is there or can be made.
    private mutating func claim(_ slot: Int) -> Room {
        let sandbox = functions[slot].idle.first
        let request = functions[slot].queue.first
        let more = runCharge(sandbox) - sandboxes[sandbox].charge
        // The sandbox itself may be what the one that is yielded to is waiting for.
        if let yieldTo, yieldTo.places > 0 || more <= 0, !precedes(slot, yieldTo.function) { return .none }
        if more > 0 {
            let isPatient = now < requests[request].arrival + configuration.patience
            // Out of the eviction order, so that it cannot be the victim of its own claim.
            leaveEvictionOrder(sandbox)
            let room = makeRoom(more, places: 0, for: slot, partly: !isPatient)
            enterEvictionOrder(sandbox)
            if room == .coming { promise(Awaiting(function: slot, bytes: more, places: 0, isClaim: true)) }
            if room == .none { yield(to: slot, more, places: 0, isPatient) }
            if room != .now { return room }
        }
        if yieldTo?.function == slot { yieldTo = nil }
        dispatch(request, sandbox)
        return .now
    }

    /// Makes others leave `bytes` to the function once it has waited long enough, unless another one's turn it is.
    mutating func yield(to slot: Int, _ bytes: Int, places: Int, _ isPatient: Bool) {
        guard !isPatient else { return }
        if let yieldTo, yieldTo.function != slot, !precedes(slot, yieldTo.function) { return }
        yieldTo = (slot, bytes, places)
    }

    mutating func dispatch(_ request: Int, _ sandbox: Int) {
        let slot = requests[request].function
        let waited = now - requests[request].arrival
        let kind = startKind(requests[request], sandboxes[sandbox])
        dequeue(request)
        requests[request].sandbox = sandbox

        leaveIdle(sandbox, isUse: true)
        settleLedger(sandbox, .claimed(arrival: requests[request].arrival))
        setCharge(sandbox, runCharge(sandbox))
        setCPU(sandbox, functions[slot].spec.milliCPU)
        if sandboxes[sandbox].park != .awake {
            out.append(.thaw(sandboxes[sandbox].id))
            sandboxes[sandbox].park = .awake
        }
        sandboxes[sandbox].phase = .running
        sandboxes[sandbox].request = request
        sandboxes[sandbox].uses += 1
        sandboxes[sandbox].dispatchedAt = now
        sandboxes[sandbox].isOverdue = false
        sandboxLinks.append(sandbox, to: &functions[slot].running)
        if functions[slot].firstOnTime < 0 { functions[slot].firstOnTime = sandbox }
        runningCount += 1

        servedPass = max(servedPass, functions[slot].pass)
        functions[slot].pass += 1 / functions[slot].spec.weight
        functions[slot].counters.starts[Int(kind.rawValue)] += 1
        threshold.started(after: waited)
        out.append(.dispatch(requests[request].id, sandbox: sandboxes[sandbox].id, start: kind, waited: waited))
    }

    /// What of the sandbox was there when the request arrived.
    private func startKind(_ request: RequestState, _ sandbox: SandboxState) -> StartKind {
        if sandbox.uses > 0 { return .warm }
        if sandbox.readyAt <= request.arrival { return .prefetched }
        if sandbox.runtimeAt <= request.arrival { return .runtime }
        return sandbox.bareAt <= request.arrival ? .bare : .cold
    }

    mutating func started(_ request: RequestID, _ sandbox: SandboxID) {
        guard let running = running(request, sandbox) else { return }
        sandboxes[running].dispatchedAt = now
    }

    mutating func ended(_ id: RequestID, _ sandboxID: SandboxID, _ reusable: Bool, _ memory: Int) {
        guard let sandbox = running(id, sandboxID) else { return }
        let slot = sandboxes[sandbox].function
        if reusable { functions[slot].service.add(Double((now - sandboxes[sandbox].dispatchedAt).value)) }
        functions[slot].counters.completed += 1
        forget(sandboxes[sandbox].request)
        stopRunning(sandbox)
        sandboxes[sandbox].measured = plausible(memory, sandbox)
        becomeIdle(sandbox)
        if functions[slot].isDeleted {
            evict(sandbox, .functionDeleted)
        } else if sandboxes[sandbox].generation != functions[slot].spec.generation {
            evict(sandbox, .staleCode)
        } else if !reusable || (configuration.maxUses > 0 && sandboxes[sandbox].uses >= configuration.maxUses) {
            evict(sandbox, .spent)
        } else {
            functions[slot].idleMemory.add(Double(sandboxes[sandbox].measured))
        }
        refresh(slot)
    }

    /// Takes a sandbox out of the running ones.
    mutating func stopRunning(_ sandbox: Int) {
        let slot = sandboxes[sandbox].function
        if sandboxes[sandbox].isOverdue { functions[slot].overdue -= 1 }
        if functions[slot].firstOnTime == sandbox { functions[slot].firstOnTime = sandboxLinks.next(sandbox) }
        sandboxLinks.remove(sandbox, from: &functions[slot].running)
        sandboxes[sandbox].request = -1
        setCPU(sandbox, 0)
        runningCount -= 1
    }

    /// The slot of the sandbox, if it runs this request.
    private mutating func running(_ request: RequestID, _ sandbox: SandboxID) -> Int? {
        guard let slot = sandboxSlots[sandbox] else {
            misfit(.unknownSandbox)
            return nil
        }
        guard let known = requestSlots[request] else {
            misfit(.unknownRequest)
            return nil
        }
        guard sandboxes[slot].request == known else {
            misfit(.unexpectedState)
            return nil
        }
        return slot
    }

    /// Counts the running sandboxes that have run longer than expected, which are no longer waited for.
    mutating func markOverdue(_ slot: Int) {
        while functions[slot].firstOnTime >= 0, let limit = overdueAt(functions[slot].firstOnTime), limit <= now {
            let sandbox = functions[slot].firstOnTime
            sandboxes[sandbox].isOverdue = true
            functions[slot].overdue += 1
            functions[slot].firstOnTime = sandboxLinks.next(sandbox)
        }
    }

    /// When a running sandbox has taken longer than nearly all before it; nil while nothing is known.
    func overdueAt(_ sandbox: Int) -> Instant? {
        let service = functions[sandboxes[sandbox].function].service
        guard service.count > 0 else { return nil }
        return sandboxes[sandbox].dispatchedAt
            + Nanoseconds(rounding: service.mean + 4 * service.deviation + 1)
    }
}
