/// A bound: knows every gap, and keeps the shortest ones warm.
///
/// At equal waste no keep-alive can have fewer cold starts: each gap costs its length and saves one. Gaps of one length
/// are kept all or none, so the waste stays just under the budget. Prewarming may still beat it.
package enum ClairvoyantKeepAlive {
    package static let name = "clairvoyant-keep"

    /// Keeps gaps up to the longest whose total waste is within `budget` minutes.
    package static func run(_ trace: MinuteTrace, policy: String = name, budget: Int) -> PolicyOutcome {
        var byLength: [Int: Int] = [:]
        for unit in trace.units {
            for (next, last) in zip(unit.active.dropFirst(), unit.active) {
                byLength[Int(next - last) - 1, default: 0] += 1
            }
        }
        var longest = 0
        var spent = 0
        for (length, count) in byLength.sorted(by: { $0.key < $1.key }) {
            guard spent + length * count <= budget else { break }
            spent += length * count
            longest = length
        }
        var outcome = PolicyOutcome(policy: policy, knob: "gaps <= \(longest) min", trace: trace)
        for (index, unit) in trace.units.enumerated() {
            var tally = UnitTally(cold: 1)
            for (next, last) in zip(unit.active.dropFirst(), unit.active) {
                let idle = Int(next - last) - 1
                if idle <= longest {
                    tally.waste += idle
                    outcome.addWaste(Int(last) + 1..<Int(next))
                } else {
                    tally.cold += 1
                }
            }
            outcome.tallies[index] = tally
        }
        return outcome
    }
}

/// A bound: loads every unit one minute before each use, and unloads it at once.
package enum ClairvoyantPrewarm {
    package static let name = "clairvoyant-prewarm"
    /// The same where the first use of a unit cannot be known.
    package static let onlineName = "clairvoyant-prewarm-known"

    package static func run(_ trace: MinuteTrace, knowsFirstUse: Bool) -> PolicyOutcome {
        var outcome = PolicyOutcome(
            policy: knowsFirstUse ? name : onlineName, knob: "1 min ahead", trace: trace)
        for (index, unit) in trace.units.enumerated() {
            var tally = UnitTally(cold: knowsFirstUse ? 0 : 1)
            for (position, minute) in unit.active.enumerated() {
                let previous = position == 0 ? (knowsFirstUse ? -1 : Int(minute) - 1) : Int(unit.active[position - 1])
                guard Int(minute) - previous > 1 else { continue }
                tally.waste += 1
                tally.prewarms += 1
                outcome.addWaste(Int(minute) - 1..<Int(minute))
            }
            outcome.tallies[index] = tally
        }
        return outcome
    }
}
