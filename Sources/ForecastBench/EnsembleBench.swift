import Forecast
import Foundation
package import Replay

/// The whole engine on a trace, call by call: every function is asked every quarter of an hour, and each source is left out once.
package enum EnsembleBench {
    private struct Call {
        var time: Double
        var unit: Int
        var user: String?
    }

    package static func run(_ trace: Trace, leaveOneOut: Bool) throws -> [OccurrenceRow] {
        var rows = try run(trace, "engine", Set(ForecastSource.allCases))
        guard leaveOneOut else { return rows }
        for source in ForecastSource.allCases where source != .plan {
            rows += try run(trace, "  without \(source)", Set(ForecastSource.allCases).subtracting([source]))
        }
        return rows
    }

    private static func calls(_ trace: Trace) -> [Call] {
        if !trace.invocations.isEmpty {
            return trace.invocations.map {
                Call(time: Double($0.startMs) / 1000, unit: Int($0.unit), user: $0.user < 0 ? nil : "u\($0.user)")
            }
        }
        // Only the minutes are known: each active one is a call, every unit at a second of its own.
        return trace.units.indices.flatMap { unit in
            trace.units[unit].activity.map { entry in
                Call(time: Double(entry.minute) * 60 + Double(unit * 17 % 60), unit: unit, user: nil)
            }
        }.sorted { ($0.time, $0.unit) < ($1.time, $1.unit) }
    }

    private static func run(_ trace: Trace, _ name: String, _ sources: Set<ForecastSource>) throws -> [OccurrenceRow] {
        var settings = ForecastSettings()
        settings.sources = sources
        var engine = try Forecaster(settings: settings)
        let calls = calls(trace)
        var times = trace.units.map { _ in [Double]() }
        for call in calls { times[call.unit].append(call.time) }
        var seen = times.map { _ in 0 }
        var scores = Forecaster.horizons.map { _ in OccurrenceBench.Score() }
        let origin = Double((trace.originMinute % 10_080 + 10_080) % 10_080) * 60
        func stamp(_ seconds: Double) -> Int64 { Int64((origin + seconds) * 1e9) }
        let longest = Forecaster.horizons.last ?? 900
        var next = 0
        for minute in 0..<trace.minutes {
            let now = Double(minute) * 60
            engine.advance(to: stamp(now))
            if minute % 15 == 14 && now + longest < Double(trace.minutes) * 60 {
                for unit in times.indices where seen[unit] > 0 {
                    guard let outlook = engine.outlook(trace.units[unit].id, at: stamp(now)) else { continue }
                    let coming = seen[unit] < times[unit].count ? times[unit][seen[unit]] : .infinity
                    for (index, horizon) in Forecaster.horizons.enumerated() {
                        scores[index].add(Double(outlook.probabilities[index]), hit: coming < now + horizon)
                    }
                }
            }
            while next < calls.count, calls[next].time < now + 60 {
                let call = calls[next]
                seen[call.unit] += 1
                engine.observe(
                    Observation(
                        time: stamp(call.time),
                        .request(function: trace.units[call.unit].id, user: call.user, session: nil, arguments: 0)))
                next += 1
            }
        }
        return scores.enumerated().map { $1.row(trace.name, Int(Forecaster.horizons[$0] / 60), name) }
    }
}
