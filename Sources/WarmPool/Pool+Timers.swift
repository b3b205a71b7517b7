extension Pool {
    /// Carries out everything that was due by now.
    mutating func fireTimers() {
        while let request = deadlines.first, let due = deadlines.firstKey, due <= now {
            let slot = requests[request].function
            reject(request, .deadlineExpired)
            refresh(slot)
            releaseFunction(slot)
        }
        while let sandbox = sandboxTimers.first, let due = sandboxTimers.firstKey, due <= now {
            sandboxTimers.remove(sandbox)
            sandboxTimerFired(sandbox)
        }
        while let slot = functionTimers.first, let due = functionTimers.firstKey, due <= now {
            functionTimers.remove(slot)
            refresh(slot)
        }
        while let shelf = shelfTimers.first, let due = shelfTimers.firstKey, due <= now {
            shelfTimers.remove(shelf)
            refreshShelf(shelf)
        }
        expirePlan()
    }

    /// The next instant at which the function has to be looked at again without an event of its own.
    mutating func armFunctionTimer(_ slot: Int) {
        var next = Instant.distantFuture
        func consider(_ instant: Instant) { if instant > now { next = min(next, instant) } }
        if !functions[slot].queue.isEmpty {
            if functions[slot].firstOnTime >= 0, let overdue = overdueAt(functions[slot].firstOnTime) {
                consider(overdue)
            }
            consider(functions[slot].retryAt)
            // Then others begin to yield to it.
            consider(requests[functions[slot].queue.first].arrival + configuration.patience)
        }
        if case .open(let until) = functions[slot].breaker.state(at: now) { consider(until) }
        if !functions[slot].demands.isEmpty {
            consider(functions[slot].prefetchHoldOff)
            let lead = lead(slot)
            for demand in functions[slot].demands {
                consider(demand.start - lead)
                consider(demand.end)
            }
        }
        if next < .distantFuture { functionTimers.set(slot, next) } else { functionTimers.remove(slot) }
    }

    /// Says when the next event is due, if that is earlier than what was said.
    mutating func armWake() {
        var next = Instant.distantFuture
        for due in [
            deadlines.firstKey, sandboxTimers.firstKey, functionTimers.firstKey, shelfTimers.firstKey,
            planInForce?.until,
        ] {
            if let due { next = min(next, due) }
        }
        if refillAfter > now, hungryShelves.first != nil { next = min(next, refillAfter) }
        guard next < .distantFuture, armedWake.map({ next < $0 }) ?? true else { return }
        armedWake = next
        out.append(.wake(at: next))
    }
}
