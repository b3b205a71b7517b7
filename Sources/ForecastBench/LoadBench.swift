import Forecast
package import Replay

/// Hourly forecasts of one series over its last seven days.
package struct LoadRow: Sendable, Encodable {
    package var series: String
    package var model: String
    /// Weighted absolute percentage error: 100 x sum |forecast - truth| / sum truth.
    package var wape: Double
}

package enum LoadBench {
    package static func run(_ trace: Trace) -> [LoadRow] {
        trace.units.flatMap { run($0, minutes: trace.minutes) }
    }

    private static func run(_ unit: TraceUnit, minutes: Int) -> [LoadRow] {
        var counts = [Double](repeating: 0, count: minutes)
        for entry in unit.activity { counts[Int(entry.minute)] = Double(entry.value) }
        let hours = minutes / 60
        var model = LoadModel(slotsPerDay: 24)
        var names = LoadModel.Expert.allCases.map { "\($0)" }
        names += ["mix", "best of the block"]
        var errors = [Double](repeating: 0, count: names.count)
        var total = 0.0
        for hour in 0..<hours {
            let slot = counts[hour * 60..<hour * 60 + 60]
            let truth = slot.reduce(0, +)
            if hour >= hours - 168 {
                total += truth
                for expert in LoadModel.Expert.allCases {
                    errors[expert.rawValue] += abs((model.predict(expert) ?? 0) - truth)
                }
                errors[names.count - 2] += abs(model.predict() - truth)
                let best = model.best.flatMap { model.predict($0) } ?? 0
                errors[names.count - 1] += abs(best - truth)
            }
            model.update(truth, quarter: 4 * slot.suffix(15).reduce(0, +), twelfth: 12 * slot.suffix(5).reduce(0, +))
        }
        return zip(names, errors).map { LoadRow(series: unit.id, model: $0, wape: 100 * $1 / max(1, total)) }
    }
}
