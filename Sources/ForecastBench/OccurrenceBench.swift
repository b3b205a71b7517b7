import Forecast
import Foundation
package import Replay

/// How good and how honest the probabilities of "active within so many minutes" are.
package struct OccurrenceRow: Sendable, Encodable {
    package var data: String
    package var horizonMinutes: Int
    package var model: String
    package var count: Int
    package var brier: Double
    package var logLoss: Double
    package var ece: Double
    /// Ten classes of the probability: mean said, share that came, forecasts.
    package var reliability: [Class]

    package struct Class: Sendable, Encodable {
        package var said: Double
        package var came: Double
        package var count: Int
    }
}

package enum OccurrenceBench {
    private static let horizons = [1, 5, 15]

    /// Asks for every unit once in `stride` minutes; a truth is told only when its horizon is over.
    package static func run(_ trace: Trace, prior: [UInt8]? = nil) throws -> [OccurrenceRow] {
        var model = try prior.map { try OccurrenceModel(prior: $0) } ?? OccurrenceModel()
        var units: [UInt32?] = trace.units.map { _ in nil }
        var positions = [Int](repeating: 0, count: units.count)
        let raw = horizons.map { _ in Score() }
        var scores = [raw, raw]
        var calibrators = horizons.map { _ in Calibrator() }
        var waiting: [(due: Int, horizon: Int, logOdds: Float, hit: Bool)] = []
        let longest = horizons.max() ?? 1
        let origin = (trace.originMinute % 10_080 + 10_080) % 10_080
        let stride = max(7, units.count * trace.minutes / 200_000) | 1
        for minute in 0..<trace.minutes {
            let isAsked = minute % stride == stride - 1 && minute + longest < trace.minutes
            if isAsked {
                waiting.removeAll {
                    guard $0.due <= minute else { return false }
                    calibrators[$0.horizon].learn($0.logOdds, hit: $0.hit)
                    return true
                }
            }
            for unit in units.indices {
                let times = trace.units[unit].activity
                if isAsked, let slot = units[unit] {
                    let hazards = model.hazards(slot, from: origin + minute, count: longest)
                    let next = positions[unit] < times.count ? Int(times[positions[unit]].minute) - minute : .max
                    for (index, horizon) in horizons.enumerated() {
                        let said = OccurrenceModel.probability(hazards, within: horizon)
                        let logOdds = LogOdds.of(said)
                        let hit = next < horizon
                        scores[0][index].add(Double(said), hit: hit)
                        scores[1][index].add(Double(calibrators[index].probability(logOdds)), hit: hit)
                        waiting.append((minute + horizon, index, logOdds, hit))
                    }
                }
                let active = positions[unit] < times.count && Int(times[positions[unit]].minute) == minute
                if active {
                    positions[unit] += 1
                    if units[unit] == nil { units[unit] = model.addUnit() }
                }
                if let slot = units[unit] { model.observe(slot, active: active, minute: origin + minute) }
            }
        }
        return horizons.indices.flatMap { index in
            [("stacked", 0), ("stacked, calibrated", 1)].map { name, kind in
                scores[kind][index].row(trace.name, horizons[index], name)
            }
        }
    }

    struct Score {
        var said = [Double](repeating: 0, count: 10)
        var came = [Int](repeating: 0, count: 10)
        var counts = [Int](repeating: 0, count: 10)
        var brier = 0.0
        var loss = 0.0

        mutating func add(_ probability: Double, hit: Bool) {
            let p = min(max(probability, 1e-6), 1 - 1e-6)
            let bin = min(9, Int(p * 10))
            said[bin] += p
            counts[bin] += 1
            if hit { came[bin] += 1 }
            brier += hit ? (1 - p) * (1 - p) : p * p
            loss -= hit ? log(p) : log(1 - p)
        }

        func row(_ data: String, _ horizon: Int, _ model: String) -> OccurrenceRow {
            let total = Double(max(1, counts.reduce(0, +)))
            let classes = counts.indices.map {
                let count = Double(max(1, counts[$0]))
                return OccurrenceRow.Class(said: said[$0] / count, came: Double(came[$0]) / count, count: counts[$0])
            }
            let error = counts.indices.reduce(0) { $0 + abs(said[$1] - Double(came[$1])) }
            return OccurrenceRow(
                data: data, horizonMinutes: horizon, model: model, count: Int(total), brier: brier / total,
                logLoss: loss / total, ece: error / total, reliability: classes)
        }
    }
}
