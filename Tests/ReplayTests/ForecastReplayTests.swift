import Foundation
import Testing

@testable import Replay

/// A forecaster that says what it is told to.
private struct Scripted: MinuteForecaster {
    /// Log-odds by minute forecast, by unit.
    let script: [[Float]]
    mutating func step(
        minute: Int, active: ArraySlice<Int32>, calls: ArraySlice<UserCall>, logOdds: inout [Float]
    ) {
        for unit in logOdds.indices { logOdds[unit] = script[minute + 1][unit] }
    }
}

@Suite struct ForecastReplayTests {
    private let never = LogOdds.unknown

    @Test func oddsAboveThePriceLoad() throws {
        // One unit, active at 0, 2, 5; forecasts for minutes 0...6.
        let trace = minuteTrace([[0, 2, 5]], minutes: 7)
        let tape = try ForecastTape(
            trace, Scripted(script: [[never], [1], [1], [-1], [1], [-1], [1]]))
        var rule = ConstantPrice(lambda: 1)
        let outcome = ForecastReplay.run(trace, tape, policy: "", knob: "", &rule)
        // 0 cold; 1 idle loaded; 2 warm; 3 unloaded; 4 fresh load; 5 forecast below the price: cold; 6 kept.
        #expect(
            outcome.tallies[0] == UnitTally(cold: 2, prewarms: 1, lateLoads: 0, waste: 3, unusedWaste: 2))
        #expect(outcome.wasteByHour == [3])
    }

    @Test func freshLoadsCanBeDearer() throws {
        let trace = minuteTrace([[0, 4]], minutes: 5)
        let tape = try ForecastTape(trace, Scripted(script: [[never], [0.5], [-0.5], [0.5], [0.5]]))
        var free = ConstantPrice(lambda: 1)
        #expect(
            ForecastReplay.run(trace, tape, policy: "", knob: "", &free).tallies[0]
                == UnitTally(cold: 1, prewarms: 1, waste: 2, unusedWaste: 1))
        var dear = ConstantPrice(lambda: 1, freshFactor: 3)
        #expect(
            ForecastReplay.run(trace, tape, policy: "", knob: "", &dear).tallies[0]
                == UnitTally(cold: 2, waste: 1, unusedWaste: 1))
    }

    @Test func aLoadInTheVeryMinuteIsLate() throws {
        let trace = minuteTrace([[0, 2]], minutes: 3)
        let tape = try ForecastTape(trace, Scripted(script: [[never], [-1], [1]]))
        var rule = ConstantPrice(lambda: 1)
        #expect(
            ForecastReplay.run(trace, tape, policy: "", knob: "", &rule).tallies[0]
                == UnitTally(cold: 1, prewarms: 1, lateLoads: 1))
    }

    @Test func searchFindsTheWantedWaste() throws {
        let trace = Self.periodic(units: 40, minutes: 2000)
        let tape = try ForecastTape(trace, HazardForecaster(units: 40))
        let reference = IdleWindowReplay.run(trace, policy: "", knob: "") { FixedKeepAlive(minutes: 10) }.waste
        var lastCold = Int.max
        for ratio in [0.3, 0.6, 1.0, 2.0] {
            let outcome = PriceSearch.atWaste(
                ratio, reference: reference, trace: trace, tape: tape, policy: "", charged: false)
            #expect(Double(outcome.waste) <= ratio * Double(reference))
            #expect(Double(outcome.waste) > 0.9 * ratio * Double(reference))
            #expect(outcome.cold <= lastCold)
            lastCold = outcome.cold
        }
        let charged = PriceSearch.atWaste(
            1, reference: reference, trace: trace, tape: tape, policy: "", charged: true)
        #expect(charged.waste + charged.loads <= reference)
    }

    @Test func replaysAreDeterministic() throws {
        let trace = Self.periodic(units: 10, minutes: 500)
        let first = try ForecastTape(trace, HazardForecaster(units: 10))
        let second = try ForecastTape(trace, HazardForecaster(units: 10))
        #expect(first.steps == second.steps)
    }

    /// Units with periods from 5 to 90 minutes and some jitter.
    static func periodic(units: Int, minutes: Int) -> MinuteTrace {
        var random = SeededGenerator(seed: 7)
        let rows = (0..<units).map { unit in
            let period = 5 + unit * 85 / max(1, units)
            var active: Set<Int> = []
            var time = Int.random(in: 0..<period, using: &random)
            while time < minutes {
                active.insert(time)
                time += max(1, period + Int.random(in: -2...2, using: &random))
            }
            return active.sorted()
        }
        return minuteTrace(rows, minutes: minutes)
    }
}

@Suite struct ClosedLoopTests {
    private func outcome(_ target: ClosedLoopPrice.Target) throws -> (PolicyOutcome, MinuteTrace, Int) {
        let trace = ForecastReplayTests.periodic(units: 60, minutes: 4000)
        let tape = try ForecastTape(trace, HazardForecaster(units: 60))
        var rule = ClosedLoopPrice(target, trace: trace)
        let result = ForecastReplay.run(trace, tape, policy: "", knob: "", wantsSummaries: true, &rule)
        let reference = IdleWindowReplay.run(trace, policy: "", knob: "") { FixedKeepAlive(minutes: 10) }.waste
        return (result, trace, reference)
    }

    @Test(arguments: [0.5, 1.0]) func holdsAWasteRatio(_ ratio: Double) throws {
        let (result, _, reference) = try outcome(.wasteRatio(ratio))
        #expect(abs(Double(result.waste) / Double(reference) / ratio - 1) < 0.1)
    }

    @Test func holdsAnAmountOfMemory() throws {
        let (result, trace, _) = try outcome(.idleLoaded(15))
        #expect(abs(Double(result.waste) / Double(trace.minutes) / 15 - 1) < 0.1)
    }

    @Test func holdsAColdShare() throws {
        let (result, trace, _) = try outcome(.coldShare(0.2))
        #expect(abs(Double(result.cold) / Double(trace.activeMinuteCount) / 0.2 - 1) < 0.1)
    }

    /// First uses are cold at any price: while they overspend, the price must not go to where everything is kept.
    @Test func firstUsesAreNotPaidForByKeepingEverything() throws {
        let (result, trace, _) = try outcome(.coldShare(0.02))
        let firstHours = result.wasteByHour.prefix(4).reduce(0, +)
        let forever = IdleWindowReplay.run(trace, policy: "", knob: "") { FixedKeepAlive(minutes: nil) }
        let everything = forever.wasteByHour.prefix(4).reduce(0, +)
        #expect(Double(firstHours) < 0.95 * Double(everything), "\(firstHours) of \(everything)")
        #expect(abs(Double(result.cold) / Double(trace.activeMinuteCount) / 0.02 - 1) < 0.1)
    }

    @Test func theYardstickCountsAsTheReplayDoes() {
        let trace = ForecastReplayTests.periodic(units: 20, minutes: 600)
        var waste = FixedWaste(trace, keepMinutes: 10)
        let sum = (0..<trace.minutes).reduce(0) { $0 + waste.waste(in: $1) }
        #expect(sum == IdleWindowReplay.run(trace, policy: "", knob: "") { FixedKeepAlive(minutes: 10) }.waste)
    }
}
