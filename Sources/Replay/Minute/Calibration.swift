import Glibc

/// How far a model's probabilities can be believed: "active within the next minute".
package struct Calibration: Sendable {
    /// Forecasts with about the same probability.
    package struct Bin: Sendable, Equatable {
        /// Sum of the forecast probabilities.
        package var forecast = 0.0
        package var active = 0
        package var count = 0
    }

    package let model: String
    /// Ascending by probability: a bin for each unit of log-odds from -12 to 12.
    package let bins: [Bin]
    /// Mean squared error of the probability.
    package let brier: Double
    /// Mean negative log-likelihood, natural units.
    package let logLoss: Double
    /// Expected calibration error: the mean distance of forecast and frequency over the bins, by their weight.
    package let ece: Double
    package let count: Int

    private static let halfRange = 12

    /// Judges every forecast of units that were seen before.
    package init(_ trace: MinuteTrace, _ tape: ForecastTape, model: String) {
        var bins = [Bin](repeating: Bin(), count: 2 * Self.halfRange + 1)
        var brier = 0.0
        var logLoss = 0.0
        var active = [Bool](repeating: false, count: tape.units)
        // exp and log once a tape step, not once a forecast.
        var known: [Int16: (probability: Double, hit: Double, miss: Double)] = [:]
        for minute in 0..<trace.minutes {
            let now = trace.activeUnits[trace.minuteStart[minute]..<trace.minuteStart[minute + 1]]
            for unit in now { active[Int(unit)] = true }
            let base = minute * tape.units
            for unit in 0..<tape.units {
                let step = tape.steps[base + unit]
                guard step != ForecastTape.unknown else { continue }
                let term: (probability: Double, hit: Double, miss: Double)
                if let cached = known[step] {
                    term = cached
                } else {
                    let odds = Double(step) / Double(ForecastTape.stepsPerUnit)
                    term = (LogOdds.probability(odds), log1p(exp(-odds)), log1p(exp(odds)))
                    known[step] = term
                }
                let bin = min(
                    max(Int((Double(step) / Double(ForecastTape.stepsPerUnit)).rounded()), -Self.halfRange),
                    Self.halfRange)
                bins[bin + Self.halfRange].forecast += term.probability
                bins[bin + Self.halfRange].count += 1
                if active[unit] {
                    bins[bin + Self.halfRange].active += 1
                    brier += (1 - term.probability) * (1 - term.probability)
                    logLoss += term.hit
                } else {
                    brier += term.probability * term.probability
                    logLoss += term.miss
                }
            }
            for unit in now { active[Int(unit)] = false }
        }
        let total = bins.reduce(0) { $0 + $1.count }
        self.model = model
        self.bins = bins
        count = total
        self.brier = brier / Double(max(1, total))
        self.logLoss = logLoss / Double(max(1, total))
        ece =
            bins.reduce(0) { $0 + ($1.forecast - Double($1.active)).magnitude } / Double(max(1, total))
    }

    package var row: CalibrationRow {
        CalibrationRow(
            model: model, horizonMinutes: 1, forecasts: count, brier: brier, logLoss: logLoss, ece: ece)
    }
}

/// A model's calibration in figures.
package struct CalibrationRow: Sendable, Encodable, Equatable {
    package var model: String
    /// The forecast is "active within so many minutes".
    package var horizonMinutes: Int
    package var forecasts: Int
    package var brier: Double
    package var logLoss: Double
    package var ece: Double

    enum CodingKeys: String, CodingKey {
        case model, forecasts, brier, ece
        case horizonMinutes = "horizon_minutes"
        case logLoss = "log_loss"
    }

    var text: String {
        """
        \(model), active within \(horizonMinutes) min: Brier \(Format.short(brier)), log-loss \(Format.short(logLoss)), \
        calibration error \(Format.short(ece)) over \(forecasts) forecasts
        """
    }
}
