package import Forecast

/// What each source of the agent's forecast brought: the same replay with that source left out, at the same waste.
package enum SourceWorth {
    /// Wastes to compare at, at most: each costs a search per source.
    private static let mostRatios = 3

    /// - Parameters:
    ///   - full: the forecasts with every source.
    ///   - model: what they started from.
    ///   - ratios: wastes to compare at, relative to `reference`; the first three that differ are taken.
    package static func rows(
        _ trace: MinuteTrace, full: ForecastTape, model: OccurrenceModel, ratios: [Double], reference: Int,
        progress: ((OccurrenceSource, Double) -> Void)? = nil
    ) throws(ReplayError) -> [SourceRow] {
        var wanted: [Double] = []
        for ratio in ratios where ratio > 0 && !wanted.contains(where: { ($0 - ratio).magnitude < 0.005 }) {
            if wanted.count < mostRatios { wanted.append(ratio) }
        }
        func cold(_ tape: ForecastTape) -> [Int] {
            wanted.map {
                PriceSearch.atWaste(
                    $0, reference: reference, trace: trace, tape: tape, policy: "", charged: false
                ).cold
            }
        }
        let base = cold(full)
        let baseLogLoss = Calibration(trace, full, model: "").logLoss
        var rows: [SourceRow] = []
        for source in OccurrenceSource.allCases {
            if source == .users && !trace.knowsUsers { continue }
            var partial = model
            partial.without = .init(source)
            let forecaster = HearthForecaster(
                units: trace.units.count, originMinute: trace.originMinute, model: partial)
            let tape = try ForecastTape(trace, forecaster) { progress?(source, $0) }
            let logLoss = Calibration(trace, tape, model: "").logLoss
            for (index, count) in cold(tape).enumerated() {
                rows.append(
                    SourceRow(
                        source: source.label, wasteRatio: wanted[index], cold: base[index], coldWithout: count,
                        logLoss: baseLogLoss, logLossWithout: logLoss))
            }
        }
        return rows
    }
}

/// One source at one waste.
package struct SourceRow: Sendable, Encodable, Equatable {
    package var source: String
    /// Relative to fixed-10.
    package var wasteRatio: Double
    /// Cold starts at that waste with every source, and without this one.
    package var cold: Int
    package var coldWithout: Int
    /// Of "active within the next minute", natural units.
    package var logLoss: Double
    package var logLossWithout: Double

    enum CodingKeys: String, CodingKey {
        case source, cold
        case wasteRatio = "waste_ratio"
        case coldWithout = "cold_without"
        case logLoss = "log_loss"
        case logLossWithout = "log_loss_without"
    }

    static let header = ["without", "waste", "cold", "instead of", "brought", "log-loss", "instead of"]

    var cells: [String] {
        let brought = coldWithout - cold
        return [
            source, Format.fixed(wasteRatio, 3), String(coldWithout), String(cold),
            (brought > 0 ? "+" : "") + String(brought), Format.fixed(logLossWithout, 4), Format.fixed(logLoss, 4),
        ]
    }
}

extension OccurrenceSource {
    /// As the reports call it.
    package var label: String {
        switch self {
        case .gaps: "gaps like this one"
        case .periods: "periods"
        case .clock: "time of hour, day, week"
        case .load: "load of all units"
        case .users: "users that are about"
        case .unit: "the unit's own tables"
        }
    }
}
