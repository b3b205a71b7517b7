/// What a policy did to one unit. Times are minutes.
package struct UnitTally: Sendable, Equatable {
    /// Active minutes in which the unit was not loaded, the first ever included.
    package var cold = 0
    /// Fresh loads ahead of use: the unit was neither active nor loaded the minute before.
    package var prewarms = 0
    /// Prewarms used in the very minute they began: a real load would have had to be finished by then.
    package var lateLoads = 0
    /// Minutes loaded without activity.
    package var waste = 0
    /// The part of `waste` in stretches that ended without a use.
    package var unusedWaste = 0

    /// Every time the unit was made: cold starts and prewarms.
    package var loads: Int { cold + prewarms }
}

/// What a policy did to a trace.
package struct PolicyOutcome: Sendable {
    package var policy: String
    /// The knob's value in words: "k = 10 min", "lambda = 0.013".
    package var knob: String
    package var tallies: [UnitTally]
    /// Loaded-idle minutes of all units by hour of the trace.
    package var wasteByHour: [Int]
    /// The price over time, for policies that have one: (minute, lambda).
    package var prices: [PricePoint] = []

    package struct PricePoint: Sendable, Equatable {
        package var minute: Int
        package var lambda: Double
    }

    package init(policy: String, knob: String, trace: MinuteTrace) {
        self.policy = policy
        self.knob = knob
        tallies = [UnitTally](repeating: UnitTally(), count: trace.units.count)
        wasteByHour = [Int](repeating: 0, count: (trace.minutes + 59) / 60)
    }

    package var cold: Int { tallies.reduce(0) { $0 + $1.cold } }
    package var loads: Int { tallies.reduce(0) { $0 + $1.loads } }
    package var waste: Int { tallies.reduce(0) { $0 + $1.waste } }
    package var unusedWaste: Int { tallies.reduce(0) { $0 + $1.unusedWaste } }
    package var lateLoads: Int { tallies.reduce(0) { $0 + $1.lateLoads } }

    /// Adds loaded-idle minutes `range` of one unit to the hours.
    mutating func addWaste(_ range: Range<Int>) {
        var minute = range.lowerBound
        while minute < range.upperBound {
            let next = min(range.upperBound, (minute / 60 + 1) * 60)
            wasteByHour[minute / 60] += next - minute
            minute = next
        }
    }
}
