/// What idle sandboxes are worth: how soon they are likely to be used again.
extension Pool {
    /// Begins to watch a sandbox that has just become idle.
    mutating func beginWatch(_ sandbox: Int) {
        let slot = sandboxes[sandbox].function
        sandboxes[sandbox].clockAtIdle = policy.clock
        // One prefetched and not used yet is no fresher than the function's last call.
        let isUnused = slot >= 0 && sandboxes[sandbox].uses == 0
        let since = isUnused ? functions[slot].lastArrival ?? .zero : now
        sandboxes[sandbox].restingSince = min(since, now)
        sandboxes[sandbox].watchedUntil = (now - sandboxes[sandbox].restingSince).inSeconds
        let gap = slot >= 0 ? functions[slot].gap.known.map { $0 / 1e9 } : configuration.valueHorizon.inSeconds
        sandboxes[sandbox].gapClass = ReuseModel.gapClass(gap)
        watchNextAge(sandbox)
    }

    /// Counts how long a sandbox was idle since it was last looked at, and whether a use ended that.
    mutating func watch(_ sandbox: Int, isUse: Bool) {
        let age = (now - sandboxes[sandbox].restingSince).inSeconds
        let from = sandboxes[sandbox].watchedUntil
        sandboxes[sandbox].watchedUntil = age
        let gapClass = sandboxes[sandbox].gapClass
        let slot = sandboxes[sandbox].function
        if slot >= 0 {
            reuse.watched(gapClass, &functions[slot].reuse, from: from, to: age, isUse: isUse)
        } else {
            reuse.watched(gapClass, &shelfReuse, from: from, to: age, isUse: isUse)
        }
    }

    private mutating func watchNextAge(_ sandbox: Int) {
        let bin = AgeBins.bin((now - sandboxes[sandbox].restingSince).inSeconds)
        // A microsecond past the edge, so that rounding cannot leave it in the bin it comes from.
        let next = sandboxes[sandbox].restingSince + Nanoseconds(rounding: AgeBins.end(bin) * 1e9 + 1000)
        ages.set(sandbox, max(next, now + Nanoseconds(1000)))
    }

    /// Brings the eviction order up to date with the time that has passed. Nobody is woken for it: the order matters only
    /// when memory runs short.
    mutating func ageVictims() {
        while let sandbox = ages.first, let due = ages.firstKey, due <= now {
            watch(sandbox, isUse: false)
            watchNextAge(sandbox)
            reorder(sandbox)
        }
    }

    /// Finds an idle sandbox its place in the eviction order anew.
    mutating func reorder(_ sandbox: Int) {
        if victims.contains(sandbox) { victims.set(sandbox, victimKey(sandbox)) }
    }

    /// Expected uses a second: from what is foreseen for the function while its sandboxes of the front would serve that,
    /// else from how long this one has been idle.
    func useRate(_ sandbox: Int) -> Double {
        let state = sandboxes[sandbox]
        let age = (now - state.restingSince).inSeconds
        let slot = state.function
        guard slot >= 0 else { return reuse.useRate(state.gapClass, shelfReuse, age: age) }
        var rate = reuse.useRate(state.gapClass, functions[slot].reuse, age: age)
        for demand in functions[slot].demands where demand.end > now && !isSpent(demand, slot) {
            guard isAmongFirst(max(demand.count, 1), sandbox) else { continue }
            rate = max(rate, useRate(demand))
        }
        return rate
    }

    /// The constant rate that a demand's probability means over its window.
    func useRate(_ demand: Demand) -> Double {
        let window = demand.end - min(demand.start, now)
        let odds = demand.probability / max(1 - demand.probability, 1e-6)
        // -ln(1 - p) = ln(1 + odds).
        return naturalLogarithm(1 + odds) / max(window.inSeconds, 1)
    }

    /// A model foresees one call in its window; once there was one, it says nothing of the next.
    func isSpent(_ demand: Demand, _ slot: Int) -> Bool {
        guard demand.source >= .trigger, let last = functions[slot].lastArrival else { return false }
        return last >= demand.start
    }

    private func isAmongFirst(_ count: Int, _ sandbox: Int) -> Bool {
        var next = functions[sandboxes[sandbox].function].idle.first
        for _ in 0..<count {
            if next == sandbox { return true }
            guard next >= 0 else { return false }
            next = sandboxLinks.next(next)
        }
        return false
    }

    /// Of 1 or more, within 1e-6: the standard library has no log.
    private func naturalLogarithm(_ x: Double) -> Double {
        let mantissa = x.significand
        let t = (mantissa - 1) / (mantissa + 1)
        let square = t * t
        // The series of 2 artanh(t) for t below 1/3.
        let series = 1 + square * (1.0 / 3 + square * (1.0 / 5 + square * (1.0 / 7 + square * (1.0 / 9 + square / 11))))
        return Double(x.exponent) * 0.693147180559945 + 2 * t * series
    }
}
