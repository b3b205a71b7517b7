import Forecast
import Glibc

/// How far the agent's model can be believed over longer windows: "active within 5 (15) minutes".
enum HorizonCalibration {
    static let horizons = [5, 15]
    /// Forecasts asked for at most: each takes as long as 15 minutes of stepping.
    private static let samples = 60_000

    /// Asks the model for all units it knows at evenly spaced minutes.
    static func run(_ trace: MinuteTrace, model: OccurrenceModel) -> [CalibrationRow] {
        let units = trace.units.count
        var forecaster = HearthForecaster(units: units, originMinute: trace.originMinute, model: model)
        var logOdds = [Float](repeating: LogOdds.unknown, count: units)
        var scores = horizons.map { _ in Score() }
        var position = [Int](repeating: 0, count: units)
        let longest = horizons.max() ?? 1
        // An odd stride, so that it does not keep step with the hour.
        let stride = max(7, units * trace.minutes / samples) | 1
        for minute in 0..<max(0, trace.minutes - longest) {
            let active = trace.activeUnits[trace.minuteStart[minute]..<trace.minuteStart[minute + 1]]
            forecaster.step(minute: minute, active: active, calls: trace.calls(in: minute), logOdds: &logOdds)
            guard minute % stride == stride - 1 else { continue }
            for unit in 0..<units where logOdds[unit] != LogOdds.unknown {
                let times = trace.units[unit].active
                while position[unit] < times.count && Int(times[position[unit]]) <= minute { position[unit] += 1 }
                let next = position[unit] < times.count ? Int(times[position[unit]]) - minute : Int.max
                var survival = 1.0
                let hazards = forecaster.hazards(unit: unit, from: minute + 1, count: longest)
                for (offset, hazard) in hazards.enumerated() {
                    survival *= 1 - Double(hazard)
                    guard let index = horizons.firstIndex(of: offset + 1) else { continue }
                    scores[index].add(1 - survival, hit: next <= offset + 1)
                }
            }
        }
        return zip(horizons, scores).map { horizon, score in
            CalibrationRow(
                model: "hearth", horizonMinutes: horizon, forecasts: score.count, brier: score.brier,
                logLoss: score.logLoss, ece: score.ece)
        }
    }

    private struct Score {
        private var bins = [Calibration.Bin](repeating: .init(), count: 25)
        private var squares = 0.0
        private var logs = 0.0
        private(set) var count = 0

        mutating func add(_ probability: Double, hit: Bool) {
            let p = min(max(probability, 1e-6), 1 - 1e-6)
            let bin = min(max(Int((log(p / (1 - p))).rounded()) + 12, 0), 24)
            bins[bin].forecast += p
            bins[bin].count += 1
            if hit { bins[bin].active += 1 }
            squares += hit ? (1 - p) * (1 - p) : p * p
            logs -= hit ? log(p) : log(1 - p)
            count += 1
        }

        var brier: Double { squares / Double(max(1, count)) }
        var logLoss: Double { logs / Double(max(1, count)) }
        var ece: Double {
            bins.reduce(0) { $0 + ($1.forecast - Double($1.active)).magnitude } / Double(max(1, count))
        }
    }
}
