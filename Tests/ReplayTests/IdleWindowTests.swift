import Testing

@testable import Replay

/// Tiny traces whose outcomes are computed by hand.
@Suite struct IdleWindowTests {
    // Active at 0, 3, 4, 15 of 20 minutes: gaps of 2, 0 and 10 idle minutes, 4 at the end.
    private let trace = minuteTrace([[0, 3, 4, 15]], minutes: 20)

    private func fixed(_ minutes: Int?) -> UnitTally {
        IdleWindowReplay.run(trace, policy: "", knob: "") { FixedKeepAlive(minutes: minutes) }.tallies[0]
    }

    @Test func fixedKeepAlive() {
        // k = 2: the gap of 3 (2 idle) misses minute 3; 2 + 2 + 2 idle minutes are held.
        #expect(fixed(2) == UnitTally(cold: 3, waste: 6, unusedWaste: 6))
        // k = 3: minute 3 is the third after the use, and warm.
        #expect(fixed(3) == UnitTally(cold: 2, waste: 2 + 3 + 3, unusedWaste: 6))
        #expect(fixed(10) == UnitTally(cold: 2, waste: 2 + 10 + 4, unusedWaste: 14))
        #expect(fixed(11) == UnitTally(cold: 1, waste: 2 + 10 + 4, unusedWaste: 4))
        #expect(fixed(nil) == UnitTally(cold: 1, waste: 16, unusedWaste: 4))
        #expect(fixed(0) == UnitTally(cold: 4))
    }

    private struct Windows: IdleWindowPolicy {
        let all: [IdleWindow]
        mutating func windows(afterIdle idle: Int?) -> [IdleWindow] { all }
    }

    @Test func prewarmsAreCountedWhenTheirTimeComes() {
        func run(_ windows: IdleWindow...) -> UnitTally {
            IdleWindowReplay.run(trace, policy: "", knob: "") { Windows(all: windows) }.tallies[0]
        }
        // [2, 5] after each use: reached at minute 3 (late: in the very minute), not between 3 and 4, held 4 after 4,
        // held 2 at the end.
        #expect(
            run(IdleWindow(2, 5))
                == UnitTally(cold: 3, prewarms: 3, lateLoads: 1, waste: 4 + 2, unusedWaste: 6))
        // Two windows: the second serves minute 15 after 1 idle minute in it; at the end only the first is reached.
        #expect(
            run(IdleWindow(0, 0), IdleWindow(9, 11))
                == UnitTally(cold: 2, prewarms: 1, waste: 1 + 1 + 1 + 1, unusedWaste: 3))
    }

    @Test func wasteIsBookedInItsHour() {
        let trace = minuteTrace([[50, 130]], minutes: 180)
        let outcome = IdleWindowReplay.run(trace, policy: "", knob: "") { FixedKeepAlive(minutes: nil) }
        #expect(outcome.wasteByHour == [9, 60, 10 + 49])
        #expect(outcome.wasteByHour.reduce(0, +) == outcome.waste)
    }

    @Test func clairvoyants() {
        // Budget 2: only the gap of 2 fits (the gap of 0 costs nothing).
        let keep = ClairvoyantKeepAlive.run(trace, budget: 11).tallies[0]
        #expect(keep == UnitTally(cold: 2, waste: 2))
        #expect(ClairvoyantKeepAlive.run(trace, budget: 12).tallies[0] == UnitTally(cold: 1, waste: 12))
        // Gaps of one length are all kept or none.
        let twins = minuteTrace([[0, 3, 6]], minutes: 7)
        #expect(ClairvoyantKeepAlive.run(twins, budget: 3).tallies[0].cold == 3)
        #expect(ClairvoyantKeepAlive.run(twins, budget: 4).tallies[0].cold == 1)
        let ahead = ClairvoyantPrewarm.run(trace, knowsFirstUse: true).tallies[0]
        #expect(ahead == UnitTally(cold: 0, prewarms: 2, waste: 2))
        let late = minuteTrace([[5]], minutes: 7)
        #expect(ClairvoyantPrewarm.run(late, knowsFirstUse: true).tallies[0].waste == 1)
        #expect(ClairvoyantPrewarm.run(late, knowsFirstUse: false).tallies[0] == UnitTally(cold: 1))
    }

    @Test func noKeepAliveBeatsTheClairvoyant() {
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = SeededGenerator(seed: seed)
        for _ in 0..<40 {
            let rows = (0..<5).map { _ in
                Array(Set((0..<12).map { _ in Int.random(in: 0..<200, using: &random) })).sorted()
            }
            let trace = minuteTrace(rows, minutes: 200)
            let keep = Int.random(in: 1...40, using: &random)
            let fixed = IdleWindowReplay.run(trace, policy: "", knob: "") { FixedKeepAlive(minutes: keep) }
            let bound = ClairvoyantKeepAlive.run(trace, budget: fixed.waste)
            #expect(bound.cold <= fixed.cold, "seed \(seed)")
            #expect(bound.waste <= fixed.waste, "seed \(seed)")
        }
    }
}

@Suite struct HybridHistogramTests {
    @Test func startsByKeepingTheWholeRange() {
        var policy = HybridHistogram(rangeMinutes: 60, outOfBounds: .mean)
        #expect(policy.windows(afterIdle: nil) == [IdleWindow(0, 60)])
    }

    @Test func aRegularUnitIsPrewarmed() {
        var policy = HybridHistogram(rangeMinutes: 60, outOfBounds: .mean)
        _ = policy.windows(afterIdle: nil)
        var last: [IdleWindow] = []
        for _ in 0..<5 { last = policy.windows(afterIdle: 20) }
        // One bin of 60 holds all: head 20 less 10 %, tail 21 plus 10 %.
        #expect(last == [IdleWindow(18, 23)])
    }

    @Test func rareUnitsAreForecastFromTheirMean() {
        var policy = HybridHistogram(rangeMinutes: 60, outOfBounds: .mean)
        #expect(policy.windows(afterIdle: 100) == [IdleWindow(85, 115)])
        // Half in bounds is no majority: back to the histogram, whose one bin varies enough.
        #expect(policy.windows(afterIdle: 10) == [IdleWindow(9, 12)])
    }

    @Test func arimaFollowsATrend() {
        let series = (1...20).map { 100 + 10 * Double($0) }
        let next = ARIMA.forecast(series)
        #expect(next != nil && abs((next ?? 0) - 310) < 1)
        #expect(ARIMA.forecast([]) == nil)
        #expect(ARIMA.forecast([5, 7]) == 6)
        let constant = ARIMA.forecast([Double](repeating: 42, count: 12))
        #expect(abs((constant ?? 0) - 42) < 0.1)
        let zigzag = ARIMA.forecast((0..<30).map { $0 % 2 == 0 ? 100.0 : 200.0 })
        #expect(abs((zigzag ?? 0) - 100) < 5)
    }

    @Test func leastSquaresSolvesALine() {
        let rows = (0..<5).map { [1, Double($0)] }
        let weights = LeastSquares.solve(rows, rows.map { 3 + 2 * $0[1] })
        #expect(weights.map { abs($0[0] - 3) < 1e-3 && abs($0[1] - 2) < 1e-3 } == true)
        #expect(LeastSquares.solve([[1, 2]], [3]) == nil)
    }
}

@Suite struct CategoryTests {
    private func category(_ idles: [Int]) -> SPES.Category {
        var policy = SPES()
        _ = policy.windows(afterIdle: nil)
        for idle in idles { _ = policy.windows(afterIdle: idle) }
        return policy.category()
    }

    @Test func kindsOfUnits() {
        #expect(category([]) == .unknown)
        #expect(category([Int](repeating: 0, count: 100)) == .alwaysWarm)
        #expect(category([29, 29, 29, 29]) == .regular)
        #expect(category([29, 14, 29, 14, 29, 14]) == .approximatelyRegular)
        #expect(category([1, 2, 4, 3, 1, 2, 4, 3, 2, 1, 3, 4]) == .dense)
        #expect(category([10, 33, 71, 160, 10, 250, 301]) == .possible)
        #expect(category([10, 33, 71, 160]) == .unknown)
    }

    @Test func aRegularUnitIsLoadedAroundItsTime() {
        var policy = SPES()
        _ = policy.windows(afterIdle: nil)
        for _ in 0..<3 { _ = policy.windows(afterIdle: 29) }
        #expect(policy.windows(afterIdle: 29) == [IdleWindow(0, 0), IdleWindow(27, 31)])
    }

    @Test func layersLiveByTheirArrivals() {
        var policy = LayeredTTL(quantile: 0.5)
        #expect(policy.windows(afterIdle: nil) == [IdleWindow(0, 9)])
        // Gaps of 20 minutes: the median of an exponential is 13.86 minutes.
        #expect(policy.windows(afterIdle: 19) == [IdleWindow(0, 13)])
        var capped = LayeredTTL(quantile: 0.9, longestMinutes: 30)
        #expect(capped.windows(afterIdle: 99) == [IdleWindow(0, 29)])
    }
}
