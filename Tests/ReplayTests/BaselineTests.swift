import Forecast
import Testing

@testable import Replay

/// The comparison figures that others computed from the same definitions; they need the real traces.
@Suite(.enabled(if: TestData.folder != nil, TestData.missing))
struct BaselineTests {
    private func rows(_ file: String, _ policies: String) throws -> [PolicyRow] {
        let trace = MinuteTrace(try TraceLoader().load([TestData.path(file)]).trace)
        var replay = MinuteReplay(trace) { (trace, _) throws(ReplayError) in
            try ForecastTape(trace, HazardForecaster(units: trace.units.count))
        }
        var rows: [PolicyRow] = []
        for spec in try PolicySpec.parse(list: policies) { rows.append(replay.row(try replay.run(spec))) }
        return rows
    }

    private static let exact =
        "fixed:10,fixed:60,forever,clairvoyant-keep@1,clairvoyant-prewarm,clairvoyant-prewarm-known"

    private func expectTable(_ rows: [PolicyRow], cold: [Int], p75: [Double], waste: [Double]) {
        for (row, (cold, (p75, waste))) in zip(rows, zip(cold, zip(p75, waste))) {
            #expect(row.cold == cold, "\(row.policy)")
            #expect(abs(row.coldPctP75 - p75) < 0.051, "\(row.policy) \(row.coldPctP75)")
            // The published waste has two or three digits.
            #expect(abs(row.wasteRatio - waste) < max(0.0055, 0.0025 * waste), "\(row.policy) \(row.wasteRatio)")
        }
    }

    @Test func applications() throws {
        expectTable(
            try rows(TestData.apps100, Self.exact), cold: [905, 172, 100, 329, 0, 100],
            p75: [61.7, 35.0, 11.9, 50.0, 0, 11.9], waste: [1, 1.44, 2.46, 1, 0.27, 0.27])
    }

    @Test func models() throws {
        expectTable(
            try rows(TestData.alibaba, Self.exact), cold: [4035, 1692, 87, 1999, 0, 87],
            p75: [59.1, 50.0, 18.3, 50.0, 0, 18.3], waste: [1, 2.89, 33.8, 1, 0.19, 0.19])
    }

    @Test(arguments: [
        (TestData.apps100, [356, 316], [46.6, 40.0], [0.71, 0.87]),
        (TestData.alibaba, [2016, 1274], [62.7, 60.0], [2.86, 5.18]),
    ])
    func hybridWithinThreePercent(_ file: String, _ cold: [Int], _ p75: [Double], _ waste: [Double]) throws {
        for (index, row) in try rows(file, "hybrid:1h,hybrid:4h").enumerated() {
            #expect(abs(Double(row.cold) / Double(cold[index]) - 1) < 0.03, "\(row.policy) \(row.cold)")
            #expect(abs(row.coldPctP75 / p75[index] - 1) < 0.03, "\(row.policy) \(row.coldPctP75)")
            #expect(abs(row.wasteRatio / waste[index] - 1) < 0.03, "\(row.policy) \(row.wasteRatio)")
        }
    }

    @Test func otherLayoutsAreRead() throws {
        let loader = TraceLoader()
        let hour = try loader.load(
            ["invocations", "durations", "memory"].map { TestData.path("azure2019-60min-1000/\($0).csv") }
        ).trace
        #expect(hour.units.count == 1000 && hour.invocationCount == 85_470 && hour.minutes == 60)
        #expect(hour.units.allSatisfy { $0.durations != nil && $0.memoryMB != nil })
        let head = try loader.load([TestData.path("azure2021-head/Azure2021_200.csv")]).trace
        #expect(head.invocations.count == 199)
    }
}

/// The agent's own model against the baselines; slow without optimisation, so the small trace only.
@Suite(.enabled(if: TestData.folder != nil, TestData.missing))
struct HearthMinuteTests {
    @Test func halvesTheHybridsColdStartsAtItsWaste() throws {
        let trace = MinuteTrace(try TraceLoader().load([TestData.path(TestData.apps100)]).trace)
        var replay = MinuteReplay(trace) { (trace, model) throws(ReplayError) in
            try Models.tape(trace, model, start: OccurrenceModel(), progress: nil)
        }
        let hybrid = replay.row(try replay.run(try PolicySpec("hybrid:4h")))
        let hearth = replay.row(try replay.run(try PolicySpec("hearth@\(hybrid.wasteRatio)")))
        #expect(hearth.wasteRatio <= hybrid.wasteRatio)
        #expect(Double(hearth.removable) < 0.5 * Double(hybrid.removable), "\(hearth.removable)")
        for ratio in [0.65, 1.0] {
            let held = replay.row(try replay.run(try PolicySpec("hearth-budget:\(ratio)")))
            #expect(abs(held.wasteRatio / ratio - 1) < 0.1, "\(held.wasteRatio)")
        }
        for target in [1.0, 2.0] {
            let held = replay.row(try replay.run(try PolicySpec("hearth-cold:\(target)%")))
            #expect(abs(held.coldPctActive / target - 1) < 0.1, "\(held.coldPctActive)")
            // A constant price with a quarter less memory does worse.
            let constant = replay.row(try replay.run(try PolicySpec("hearth@\(held.wasteRatio / 1.3)")))
            #expect(constant.cold > held.cold, "\(target) %: \(constant.cold), \(held.cold)")
        }
    }
}
