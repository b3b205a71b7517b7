/// Moves the confidence from which on a function is prefetched: start latency over its target lowers it, latency
/// under the target raises it, memory pressure raises it. It stays within bounds, and inside a band around the target
/// it rests.
package struct ThresholdController: Sendable {
    package struct Settings: Sendable {
        package var initial = 0.5
        package var minimum = 0.05
        package var maximum = 0.95
        /// Bound for the p95 of the time from a request's arrival to its dispatch.
        package var target = Nanoseconds.milliseconds(50)
        /// Half width of the band around the target in which nothing moves, as a share of it.
        package var hysteresis = 0.2
        /// Time between two moves.
        package var interval = Nanoseconds.seconds(10)
        /// Starts that must have been seen since the move before.
        package var minimumSamples = 20
        /// Additive steps.
        package var lowerStep = 0.05
        package var raiseStep = 0.02
        package var pressureStep = 0.1

        package init() {}

        func validate() throws(ConfigurationError) {
            guard minimum > 0, minimum <= initial, initial <= maximum, maximum < 1 else {
                throw ConfigurationError(
                    setting: "threshold", problem: "needs 0 < minimum <= initial <= maximum < 1")
            }
            guard target > .zero, interval > .zero, (0...0.9).contains(hysteresis), minimumSamples >= 1 else {
                throw ConfigurationError(
                    setting: "threshold",
                    problem: "target and interval must be positive, hysteresis 0...0.9, minimumSamples 1 or more")
            }
            guard [lowerStep, raiseStep, pressureStep].allSatisfy({ $0 >= 0 && $0 <= 1 }) else {
                throw ConfigurationError(setting: "threshold", problem: "steps must be from 0 to 1")
            }
        }
    }

    package let settings: Settings
    private(set) package var threshold: Double
    /// Of the starts since the last evaluation.
    private(set) package var latency = LatencyHistogram()
    /// At the last evaluation.
    private(set) package var lastP95 = Nanoseconds.zero
    private(set) package var moves = 0
    private var nextEvaluation: Instant?

    package init(_ settings: Settings) {
        self.settings = settings
        threshold = settings.initial
    }

    mutating func started(after wait: Nanoseconds) { latency.add(wait) }

    /// Pressure raises the threshold at once, not at the next interval.
    mutating func pressed(_ level: MemoryPressure) -> (from: Double, reason: ThresholdMove)? {
        guard level > .none else { return nil }
        return move(by: level == .critical ? 2 * settings.pressureStep : settings.pressureStep, .memoryPressure)
    }

    /// Evaluates if an interval is over and enough starts were seen; returns the move that was made.
    mutating func evaluate(at now: Instant, pressure: MemoryPressure) -> (from: Double, reason: ThresholdMove)? {
        guard let due = nextEvaluation else {
            nextEvaluation = now + settings.interval
            return nil
        }
        guard now >= due else { return nil }
        nextEvaluation = now + settings.interval
        if pressure > .none { return move(by: settings.pressureStep, .memoryPressure) }
        guard latency.count >= settings.minimumSamples else { return nil }
        lastP95 = latency.quantile(0.95)
        latency.reset()
        let ratio = lastP95.inSeconds / settings.target.inSeconds
        if ratio > 1 + settings.hysteresis { return move(by: -settings.lowerStep, .latencyOverTarget) }
        if ratio < 1 - settings.hysteresis { return move(by: settings.raiseStep, .latencyUnderTarget) }
        return nil
    }

    private mutating func move(by step: Double, _ reason: ThresholdMove) -> (from: Double, reason: ThresholdMove)? {
        let from = threshold
        threshold = min(max(threshold + step, settings.minimum), settings.maximum)
        guard threshold != from else { return nil }
        moves += 1
        return (from, reason)
    }
}

/// Why the threshold moved.
package enum ThresholdMove: UInt8, Equatable, Sendable {
    case latencyOverTarget, latencyUnderTarget, memoryPressure
}
