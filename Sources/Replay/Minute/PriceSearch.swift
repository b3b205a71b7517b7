/// Finds the price at which a policy wastes a wanted amount.
package enum PriceSearch {
    /// The knob value, an integer in `range`, with the most waste that is still within `budget`. `waste` must not grow
    /// with the knob (a higher price wastes less). Bisection: about 16 trials, deterministic.
    static func highestWaste(within budget: Int, knob range: ClosedRange<Int>, _ waste: (Int) -> Int) -> Int {
        var low = range.lowerBound
        var high = range.upperBound
        while low < high {
            let middle = low + (high - low) / 2
            if waste(middle) <= budget { high = middle } else { low = middle + 1 }
        }
        return low
    }

    /// Hearth's policy at `wasteRatio` x `reference`. With `charged`, each load counts as a minute of waste, and a
    /// fresh load must be worth twice the price of keeping.
    package static func atWaste(
        _ wasteRatio: Double, reference: Int, trace: MinuteTrace, tape: ForecastTape, policy: String, charged: Bool
    ) -> PolicyOutcome {
        let budget = Int((wasteRatio * Double(reference)).rounded(.down))
        let factor = charged ? chargedFreshFactor : 1
        let step = highestWaste(within: budget, knob: Int(Int16.min) + 1...Int(Int16.max)) { step in
            var rule = ConstantPrice(step: step, freshFactor: factor)
            let outcome = ForecastReplay.run(trace, tape, policy: policy, knob: "", &rule)
            return outcome.waste + (charged ? outcome.loads : 0)
        }
        var rule = ConstantPrice(step: step, freshFactor: factor)
        let lambda = ForecastTape.lambda(step)
        return ForecastReplay.run(trace, tape, policy: policy, knob: "lambda = \(Format.short(lambda))", &rule)
    }

    /// What a fresh load must be worth, in prices of keeping, where loads are charged: the minute that it is held for, and the
    /// one that it is charged with.
    package static let chargedFreshFactor = 2.0
}
