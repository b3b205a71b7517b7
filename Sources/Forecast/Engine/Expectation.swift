/// Something just happened that lets a function be expected: a user's last call, a caller, an event.
struct Expectation: Sendable {
    /// The user's trail or the cause; a new expectation from the same origin replaces the old one.
    var origin: UInt64
    var isSequence: Bool
    var start: Double
    /// That it comes at all.
    var probability: Float
    /// Share of the lags up to now and up to a later time follow from this.
    var lags: LagHistogram
    /// Trials the lags are out of: those that never came included.
    var trials: Float

    /// P(it comes within `seconds` from `time` | it has not come).
    func probability(within seconds: Double, at time: Double) -> Float {
        let elapsed = Float(max(0, time - start))
        let before = probability * min(1, lags.below(elapsed) / max(1e-3, trials))
        let after = probability * min(1, lags.below(elapsed + Float(seconds)) / max(1e-3, trials))
        return min(0.9999, max(0, after - before) / max(1e-3, 1 - before))
    }
}
