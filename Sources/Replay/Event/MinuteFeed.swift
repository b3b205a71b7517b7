import WarmPool

/// Hands a pool the forecasts of a minute model: at each full minute, for the minute that begins.
struct MinuteFeed {
    private var model: (Int, ArraySlice<Int32>, ArraySlice<UserCall>, inout [Float]) -> Void
    private var logOdds: [Float]
    private var seen: [Bool]
    private var active: [Int32] = []
    private var calls: [UserCall] = []
    private var minute = 0
    /// Log-odds below which a forecast buys nothing at any threshold and says less than how long the unit has been idle.
    private static let floor: Float = -5

    /// When the next step is due, microseconds.
    var nextMinute: Int64 { Int64(minute + 1) * 60_000_000 }

    init(units: Int, _ forecaster: consuming some MinuteForecaster) {
        var forecaster = forecaster
        model = { forecaster.step(minute: $0, active: $1, calls: $2, logOdds: &$3) }
        logOdds = [Float](repeating: LogOdds.unknown, count: units)
        seen = [Bool](repeating: false, count: units)
    }

    /// A request for `unit` came in the running minute; `user`: whose, or -1.
    mutating func saw(_ unit: Int, user: Int32) {
        if user >= 0 { calls.append(UserCall(unit: Int32(unit), user: user)) }
        guard !seen[unit] else { return }
        seen[unit] = true
        active.append(Int32(unit))
    }

    /// Ends the running minute: what the model expects of the next.
    mutating func step() -> [Prediction] {
        active.sort()
        model(minute, active[...], calls[...], &logOdds)
        for unit in active { seen[Int(unit)] = false }
        active.removeAll(keepingCapacity: true)
        calls.removeAll(keepingCapacity: true)
        minute += 1
        let now = Instant(nanoseconds: Int64(minute) * 60_000_000_000)
        var predictions: [Prediction] = []
        for (unit, odds) in logOdds.enumerated() where odds > Self.floor {
            predictions.append(
                Prediction(
                    function: FunctionID(UInt32(unit)), probability: LogOdds.probability(Double(odds)), due: now,
                    horizon: .minutes(1)))
        }
        return predictions
    }
}
