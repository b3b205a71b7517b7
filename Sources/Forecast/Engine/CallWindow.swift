/// A stretch of time in which a call of a function is expected: what a warm pool is told.
package struct CallWindow: Sendable, Equatable {
    package enum Origin: Int, Sendable, CaseIterable {
        /// The function's own rhythm, as all sources of it together see it.
        case rhythm
        /// What a user at work calls next.
        case sequence
        /// A caller or a topic that just occurred.
        case dependency
    }

    package var origin: Origin
    /// That a call comes inside the window.
    package var probability: Float
    /// Nanoseconds, in the engine's time: the call comes hardly before `due`, and hardly after `until`.
    package var due: Int64
    package var until: Int64

    package init(origin: Origin, probability: Float, due: Int64, until: Int64) {
        self.origin = origin
        self.probability = probability
        self.due = due
        self.until = until
    }
}

extension Forecaster {
    /// What is expected of something that just happened is waited for at least, and anything at most, so many seconds:
    /// lags are known in octaves only, and nothing is held for a whole day.
    private static let shortest = 2.0
    private static let longest = 900.0

    /// The windows in which calls of a function are expected, at most one of each origin; none for one that is not
    /// known. About 40 us.
    ///
    /// - Parameter costPerSecond: what a second of waiting costs, as a share of what a saved start brings: a longer
    ///   window needs that much more probability.
    package mutating func windows(_ function: UInt32, at time: Int64, costPerSecond: Float) -> [CallWindow] {
        let index = Int(function)
        guard index < functions.count, functions[index] != nil else { return [] }
        let now = max(latest, Self.seconds(time))
        var windows: [CallWindow] = []
        if functions[index]?.lastCall ?? -.infinity > -.infinity {
            catchUp(index, to: now)
            if let rhythm = rhythm(index, at: now, costPerSecond: costPerSecond) { windows.append(rhythm) }
        }
        for isSequence in [true, false] {
            guard settings.sources.contains(isSequence ? .sequence : .dependency),
                let window = expected(index, isSequence: isSequence, at: now)
            else { continue }
            windows.append(window)
        }
        return windows
    }

    /// A regular gap, to the second, or the stretch from now on that is worth most; nil where none is worth its wait.
    private mutating func rhythm(_ index: Int, at now: Double, costPerSecond: Float) -> CallWindow? {
        var spoken = opinions(index, at: now)
        // These have windows of their own.
        spoken[ForecastSource.sequence.rawValue] = nil
        spoken[ForecastSource.dependency.rawValue] = nil
        // And this is the pool's already: see `plan`.
        spoken[ForecastSource.plan.rawValue] = nil
        func fused(_ horizon: Int) -> Float {
            let (inputs, mask) = HorizonStacker.inputs(Self.spoken(spoken, horizon))
            return stackers[horizon].probability(inputs, mask)
        }
        if settings.sources.contains(.interval), let regular = intervals.regularGap(UInt32(index), at: now) {
            var probability = regular.probability
            // The other sources, and calibration, have their say for the first horizon that holds the window.
            if let horizon = Self.horizons.firstIndex(where: { now + $0 >= regular.end }),
                let own = spoken[ForecastSource.interval.rawValue]?[horizon], own > 0.01
            {
                probability = min(0.9999, probability * fused(horizon) / own)
            }
            return CallWindow(
                origin: .rhythm, probability: probability, due: Self.nanoseconds(max(now, regular.start)),
                until: Self.nanoseconds(regular.end))
        }
        var best: (worth: Float, probability: Float, seconds: Double)?
        for (horizon, seconds) in Self.horizons.enumerated() {
            let probability = fused(horizon)
            let worth = probability - costPerSecond * Float(seconds)
            if worth > best?.worth ?? -.infinity { best = (worth, probability, seconds) }
        }
        guard let best, best.worth > 0 else { return nil }
        return CallWindow(
            origin: .rhythm, probability: best.probability, due: Self.nanoseconds(now),
            until: Self.nanoseconds(now + best.seconds))
    }

    /// All that just happened and lets the function be expected, as one window around the likeliest.
    private func expected(_ index: Int, isSequence: Bool, at now: Double) -> CallWindow? {
        guard let state = functions[index] else { return nil }
        var strongest: (probability: Float, start: Double, end: Double)?
        var none: Float = 1
        for expectation in state.expectations where expectation.isSequence == isSequence {
            let start = expectation.start + Double(expectation.lags.quantile(0.1))
            let end = max(start + Self.shortest, expectation.start + Double(expectation.lags.quantile(0.9)))
            guard expectation.lags.total > 0, end > now else { continue }
            let probability = expectation.probability(within: min(Self.longest, end - now), at: now)
            none *= 1 - probability
            if probability > strongest?.probability ?? 0 { strongest = (probability, start, end) }
        }
        guard let strongest, strongest.probability > 0.01 else { return nil }
        return CallWindow(
            origin: isSequence ? .sequence : .dependency, probability: 1 - none,
            due: Self.nanoseconds(max(now, strongest.start)),
            until: Self.nanoseconds(min(strongest.end, now + Self.longest)))
    }
}
