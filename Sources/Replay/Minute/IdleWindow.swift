/// The idle minutes, counted from 0 after the last activity, during which a unit is loaded; both ends included.
package struct IdleWindow: Sendable, Equatable {
    package var lower: Int
    package var upper: Int

    package init(_ lower: Int, _ upper: Int) {
        self.lower = lower
        self.upper = upper
    }

    /// Loaded until the next activity.
    package static let forever = IdleWindow(0, Int.max)
}

/// A policy that decides by a unit's own past alone, once per active minute.
package protocol IdleWindowPolicy {
    /// Called at each active minute. `idle` is the number of idle minutes since the one before, nil at the first.
    /// The windows are ascending and do not touch.
    mutating func windows(afterIdle idle: Int?) -> [IdleWindow]
}

/// Replays policies that decide by the unit's own past.
package enum IdleWindowReplay {
    /// Runs a fresh copy of `policy` for each unit of `trace`.
    package static func run(
        _ trace: MinuteTrace, policy name: String, knob: String, _ policy: () -> some IdleWindowPolicy
    ) -> PolicyOutcome {
        var outcome = PolicyOutcome(policy: name, knob: knob, trace: trace)
        for (index, unit) in trace.units.enumerated() {
            var state = policy()
            var tally = UnitTally(cold: 1)
            for (position, minute) in unit.active.enumerated() {
                let idle = position == 0 ? nil : Int(minute - unit.active[position - 1]) - 1
                let windows = state.windows(afterIdle: idle)
                let isLast = position + 1 == unit.active.count
                let next = isLast ? trace.minutes : Int(unit.active[position + 1])
                let warm = apply(
                    windows, from: Int(minute) + 1, idle: next - Int(minute) - 1, used: !isLast, to: &tally, &outcome)
                if !isLast && !warm { tally.cold += 1 }
            }
            outcome.tallies[index] = tally
        }
        return outcome
    }

    /// Counts one gap of `idle` minutes that begins at minute `start`. Returns whether its end finds the unit loaded.
    private static func apply(
        _ windows: [IdleWindow], from start: Int, idle: Int, used: Bool, to tally: inout UnitTally,
        _ outcome: inout PolicyOutcome
    ) -> Bool {
        var warm = false
        for window in windows where window.lower <= (used ? idle : idle - 1) {
            let hit = used && window.upper >= idle
            let loaded = max(0, min(window.upper, idle - 1) - window.lower + 1)
            tally.waste += loaded
            outcome.addWaste(start + window.lower..<start + window.lower + loaded)
            if !hit { tally.unusedWaste += loaded }
            if window.lower > 0 {
                tally.prewarms += 1
                if hit && window.lower == idle { tally.lateLoads += 1 }
            }
            warm = warm || hit
        }
        return warm
    }
}
