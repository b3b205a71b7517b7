import Forecast

/// The forecasters a minute replay knows by name.
enum Models {
    static func tape(
        _ trace: MinuteTrace, _ model: PolicySpec.Model, start: OccurrenceModel, progress: ((Double) -> Void)?
    ) throws(ReplayError) -> ForecastTape {
        let units = trace.units.count
        switch model {
        case .hazard: return try ForecastTape(trace, HazardForecaster(units: units), progress: progress)
        case .hearth:
            let forecaster = HearthForecaster(units: units, originMinute: trace.originMinute, model: start)
            return try ForecastTape(trace, forecaster, progress: progress)
        }
    }
}
