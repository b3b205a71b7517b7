import Glibc

/// A stretch of time in which a coordinator expects a function to be called.
package struct PlannedWindow: Sendable, Equatable {
    /// That it is called at least once inside the window, as the coordinator says.
    package var probability: Float
    /// Seconds, in the engine's time.
    var start: Double
    var end: Double

    /// - Parameters:
    ///   - start: nanoseconds, in the engine's time, as `end`.
    package init(probability: Float, start: Int64, end: Int64) {
        self.probability = min(max(probability, 0), 1)
        self.start = Forecaster.seconds(start)
        self.end = max(self.start, Forecaster.seconds(end))
    }

    /// That it is called within `seconds` from `time`: calls come at a constant rate while the window is open. So what is
    /// said fades as the window runs out, whether or not a call came already.
    func probability(within seconds: Double, at time: Double) -> Float {
        let part = min(end, time + seconds) - max(start, time)
        guard part > 0 else { return 0 }
        return 1 - powf(1 - min(0.9999, probability), Float(part / (end - start)))
    }
}

/// The coordinator's plan as a source of the ensemble: a prior that the stacking weighs by what became of such plans.
///
/// It speaks in `outlook` and `ranking`, and the ensemble learns from it, but it is left out of `windows`: a warm pool that
/// follows the plan has its entries as demand of their own, with their windows, counts and tiers, and takes the largest
/// of its demands. A window that held the plan too would count one claim twice, the more so as plans are made
/// from what nodes report and are no evidence beside the node's own; and its outcomes would be put down to the rhythm.
extension Forecaster {
    /// Takes another window of the plan in force; a function needs no history for it.
    package mutating func plan(_ function: String, _ window: PlannedWindow) {
        guard window.end > window.start, let number = internFunction(function) else { return }
        plans[number, default: []].append(window)
    }

    /// No plan is in force any more, or another takes its place.
    package mutating func clearPlan() { plans.removeAll() }

    /// Takes the plan of an engine whose place this one takes: it may have been replaced since this was copied from it.
    package mutating func takePlan(of other: Forecaster) {
        clearPlan()
        for (number, windows) in other.plans {
            guard let name = other.functionNames.name(number) else { continue }
            for window in windows { plan(name, window) }
        }
    }

    /// The confidence of the plan's windows of a function that are open; nil where none is.
    package func planned(_ function: UInt32, at time: Int64) -> Float? {
        let now = Self.seconds(time)
        return plans[function]?.filter { $0.start <= now && now < $0.end }.map(\.probability).max()
    }

    /// What the plan says for a horizon; 0 where it says nothing.
    func planned(_ function: UInt32, within seconds: Double, at time: Double) -> Float {
        guard let windows = plans[function] else { return 0 }
        return 1 - windows.reduce(1) { $0 * (1 - $1.probability(within: seconds, at: time)) }
    }

    /// The sources' probabilities for one horizon. A plan says what it expects and nothing of what lies outside its
    /// windows, so where it expects nothing it does not speak.
    static func spoken(_ opinions: [[Float]?], _ horizon: Int) -> [Float?] {
        var spoken = opinions.map { $0?[horizon] }
        if spoken[ForecastSource.plan.rawValue] == 0 { spoken[ForecastSource.plan.rawValue] = nil }
        return spoken
    }
}
