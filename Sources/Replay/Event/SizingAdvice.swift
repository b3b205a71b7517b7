import WarmPool

/// The smallest memory with which a policy meets a target on a trace.
package enum SizingAdvice {
    package struct Advice: Sendable {
        /// Nil when no budget meets the target.
        package var outcome: EventOutcome?
        /// What unlimited memory gives.
        package var best: EventOutcome
    }

    /// Bisects the budget between the largest function and the whole need, to 1 %. More memory is taken to be better;
    /// where a policy is not that regular, the answer still meets the target, but a smaller one may exist.
    package static func smallest(
        _ replay: EventReplay, _ spec: PolicySpec, _ target: SizingTarget
    ) throws(ReplayError) -> Advice {
        let largest = replay.trace.units.map(\.memoryMB).max() ?? 0
        var high = max(replay.neededMB * 1.5, largest)
        let best = try replay.run(spec, budgetMB: high)
        guard meets(best, target) else { return Advice(outcome: nil, best: best) }
        var found = best
        var low = largest
        while high - low > 0.01 * high {
            let middle = (low + high) / 2
            let outcome = try replay.run(spec, budgetMB: middle)
            if meets(outcome, target) {
                high = middle
                found = outcome
            } else {
                low = middle
            }
        }
        return Advice(outcome: found, best: best)
    }

    static func meets(_ outcome: EventOutcome, _ target: SizingTarget) -> Bool {
        guard outcome.rejected == 0 else { return false }
        switch target {
        case .p95Start(let milliseconds): return outcome.latency.quantile(0.95) <= milliseconds * 1000
        case .coldShare(let share):
            let ready =
                outcome.starts[Int(StartKind.warm.rawValue)] + outcome.starts[Int(StartKind.prefetched.rawValue)]
            return Double(outcome.latency.count - ready) <= share * Double(outcome.latency.count)
        }
    }

    /// One line of advice.
    static func text(_ spec: PolicySpec, _ advice: Advice, _ target: SizingTarget, neededMB: Double) -> String {
        let wanted: String
        switch target {
        case .p95Start(let milliseconds): wanted = "p95 start within \(Format.short(milliseconds)) ms"
        case .coldShare(let share): wanted = "at most \(Format.short(100 * share)) % cold"
        }
        func reached(_ outcome: EventOutcome) -> String {
            let row = EventRow(outcome, neededMB: neededMB)
            return "p95 \(Format.short(row.startMsP95)) ms, \(Format.fixed(row.missPct, 2)) % cold"
        }
        guard let outcome = advice.outcome else {
            return "\(spec.text): no budget gives \(wanted); unlimited memory gives \(reached(advice.best))"
        }
        return """
            \(spec.text): \(Format.fixed(outcome.budgetMB, 0)) MB \
            (\(Format.fixed(100 * outcome.budgetMB / neededMB, 0)) % of need) give \(wanted): \(reached(outcome))
            """
    }
}
