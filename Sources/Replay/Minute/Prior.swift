import FoundationEssentials
package import Forecast

/// A shipped prior: what the occurrence model learned of all units together, without any unit's own past. It is what
/// a node's first day is forecast with.
package enum Prior {
    /// Learns from a whole trace and writes the prior to `path`. Returns its size in bytes.
    package static func train(
        on trace: MinuteTrace, startingFrom model: OccurrenceModel, to path: String, progress: ((Double) -> Void)?
    ) throws(ReplayError) -> Int {
        var forecaster = HearthForecaster(
            units: trace.units.count, originMinute: trace.originMinute, model: model)
        var logOdds = [Float](repeating: LogOdds.unknown, count: trace.units.count)
        for minute in 0..<trace.minutes {
            let active = trace.activeUnits[trace.minuteStart[minute]..<trace.minuteStart[minute + 1]]
            forecaster.step(minute: minute, active: active, calls: trace.calls(in: minute), logOdds: &logOdds)
            if minute % 64 == 0 { progress?(Double(minute) / Double(trace.minutes)) }
        }
        let bytes = forecaster.prior()
        do {
            try Data(bytes).write(to: URL(filePath: path), options: .atomic)
        } catch {
            throw .unwritable(path: path, reason: "\(error)")
        }
        return bytes.count
    }

    /// A model that starts from the prior in `path`; from empty without one.
    package static func model(path: String?) throws(ReplayError) -> OccurrenceModel {
        guard let path else { return OccurrenceModel() }
        let data: Data
        do {
            data = try Data(contentsOf: URL(filePath: path))
        } catch {
            throw .unreadable(path: path, reason: "\(error)")
        }
        do {
            return try OccurrenceModel(prior: [UInt8](data))
        } catch {
            throw .corrupt(path: path, reason: "it is no prior of this version (\(error)); train it anew")
        }
    }
}
