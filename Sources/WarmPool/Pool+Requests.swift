extension Pool {
    mutating func arrive(_ id: RequestID, _ function: FunctionID, _ user: UserID, _ deadline: Instant) {
        guard requestSlots[id] == nil else { return misfit(.duplicateRequest) }
        guard let slot = functionSlots[function] else {
            counters.rejected += 1
            out.append(.reject(id, .unknownFunction, expectedWait: nil))
            return
        }
        noteArrival(slot)
        var wait: Nanoseconds?
        if let reason = refusal(slot, deadline, &wait) {
            counters.rejected += 1
            functions[slot].counters.rejected += 1
            out.append(.reject(id, reason, expectedWait: wait))
            refresh(slot)
            return
        }
        let latest = deadline == .distantFuture ? now + configuration.defaultQueueTime : deadline
        let request = requests.insert(
            RequestState(id: id, function: slot, user: user, arrival: now, deadline: latest))
        requestSlots[id] = request
        if functions[slot].queue.isEmpty { functions[slot].pass = max(functions[slot].pass, servedPass) }
        queueLinks.append(request, to: &functions[slot].queue)
        queuedCount += 1
        deadlines.set(request, latest)
        refresh(slot)
    }

    private mutating func noteArrival(_ slot: Int) {
        functions[slot].counters.arrivals += 1
        if let last = functions[slot].lastArrival {
            functions[slot].gap.add(Double((now - last).value))
        }
        functions[slot].lastArrival = now
    }

    /// Why a request that arrives now cannot be taken.
    private mutating func refusal(_ slot: Int, _ deadline: Instant, _ wait: inout Nanoseconds?) -> RejectReason? {
        if isDraining { return .draining }
        if functions[slot].spec.memoryLimit > configuration.memoryBudget { return .tooLarge }
        if configuration.liveWhileOpen == .failFast, functions[slot].idle.isEmpty, functions[slot].running.isEmpty,
            case .open = functions[slot].breaker.state(at: now)
        {
            return .circuitOpen
        }
        wait = expectedWait(slot)
        let free = functions[slot].idle.count > functions[slot].queue.count
        if !free,
            functions[slot].queue.count >= configuration.maxQueuePerFunction
                || queuedCount >= configuration.maxQueued
        {
            return .queueFull
        }
        if deadline <= now { return .deadlineUnreachable }
        guard deadline != .distantFuture, let expected = wait else { return nil }
        // The estimate of a start renews itself only by starts: with none under way the request is let in to make one,
        // or a single slow start would shut the function out for good.
        if functions[slot].starting.isEmpty && functions[slot].onTime == 0 { return nil }
        let service = functions[slot].service
        let quick = Nanoseconds(rounding: max(0, service.mean - 2 * service.deviation))
        return now + expected + quick > deadline ? .deadlineUnreachable : nil
    }

    /// How long a request that arrives now would wait for its sandbox; nil where nothing is known yet.
    func expectedWait(_ slot: Int) -> Nanoseconds? {
        let ahead = functions[slot].queue.count - functions[slot].idle.count
        if ahead < 0 { return .zero }
        let start = Nanoseconds(rounding: startEstimate(slot))
        let mayStart = functions[slot].alive < concurrency(slot)
        let servers = functions[slot].onTime + functions[slot].starting.count
        guard let service = functions[slot].service.known, servers > 0 else { return mayStart ? start : nil }
        let turn = Nanoseconds(rounding: Double(ahead + 1) * service / Double(servers))
        if mayStart { return min(start, turn) }
        return functions[slot].onTime > 0 ? turn : turn + start
    }

    /// The same for anybody who asks; nil also where the function is unknown.
    package func expectedWait(_ function: FunctionID) -> Nanoseconds? {
        functionSlots[function].flatMap { expectedWait($0) }
    }

    mutating func cancel(_ id: RequestID) {
        guard let request = requestSlots[id] else { return misfit(.unknownRequest) }
        let slot = requests[request].function
        if requests[request].sandbox >= 0 {
            guard !requests[request].isInterrupted else { return misfit(.unexpectedState) }
            requests[request].isInterrupted = true
            out.append(.interrupt(id, sandbox: sandboxes[requests[request].sandbox].id))
            return
        }
        functions[slot].counters.cancelled += 1
        dequeue(request)
        forget(request)
        refresh(slot)
        releaseFunction(slot)
    }

    /// Ends a waiting request.
    mutating func reject(_ request: Int, _ reason: RejectReason) {
        let slot = requests[request].function
        counters.rejected += 1
        functions[slot].counters.rejected += 1
        out.append(.reject(requests[request].id, reason, expectedWait: expectedWait(slot)))
        dequeue(request)
        forget(request)
    }

    mutating func dequeue(_ request: Int) {
        queueLinks.remove(request, from: &functions[requests[request].function].queue)
        queuedCount -= 1
        deadlines.remove(request)
    }

    mutating func forget(_ request: Int) {
        requestSlots[requests[request].id] = nil
        requests.remove(request)
    }

    func concurrency(_ slot: Int) -> Int {
        let own = functions[slot].spec.maxConcurrency
        return own > 0 ? own : configuration.defaultMaxConcurrency
    }
}
