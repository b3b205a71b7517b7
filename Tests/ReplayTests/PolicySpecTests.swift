import Testing

@testable import Replay

@Suite struct PolicySpecTests {
    @Test func theListOfTheManual() throws {
        let specs = try PolicySpec.parse(list: "hearth@0.65, hybrid:4h,fixed:10,greedy-dual:30%,lru:4096")
        #expect(specs.map(\.text) == ["hearth@0.65", "hybrid:4h", "fixed:10", "greedy-dual:30%", "lru:4096"])
        #expect(specs[0].wasteRatio == 0.65)
        #expect(specs[0].kind == .forecast(.hearth, charged: false, lambda: nil))
        #expect(specs[1].kind == .hybrid(rangeMinutes: 240, arima: false))
        #expect(specs[2].kind == .fixed(minutes: 10))
        #expect(specs[3].kind == .eviction(.greedyDual, .shareOfNeed(0.3)))
        #expect(specs[4].kind == .eviction(.lru, .megabytes(4096)))
    }

    @Test(arguments: [
        "", "nonsense", "fixed", "fixed:x", "fixed:-1", "hybrid:0m", "hybrid:h", "hybrid@1", "spes:3", "hearth@0",
        "hearth@x", "hearth:0.1@1", "lru:200%", "hearth-budget", "forever@1", "layered:1",
    ])
    func nonsenseIsRefused(_ text: String) {
        #expect(throws: ReplayError.self) { try PolicySpec.parse(list: text) }
    }

    @Test func budgets() throws {
        let sizes = try PolicySpec.Size.parse(list: "20%, 4096,150%")
        #expect(sizes == [.shareOfNeed(0.2), .megabytes(4096), .shareOfNeed(1.5)])
        for text in ["", "20%,", "0", "-5%", "x", "nan", "inf%"] {
            #expect(throws: ReplayError.self) { try PolicySpec.Size.parse(list: text) }
        }
    }

    @Test func aMinuteReplayNeedsASize() throws {
        var replay = MinuteReplay(minuteTrace([[0, 5]], minutes: 10)) { (trace, _) throws(ReplayError) in
            try ForecastTape(trace, HazardForecaster(units: 1))
        }
        #expect(throws: ReplayError.self) { try replay.run(try PolicySpec("lru")) }
        #expect(try replay.run(try PolicySpec("lru@1")).cold == 1)
    }
}

@Suite struct SyntheticTraceTests {
    private func lines(_ seed: UInt64) -> [String] {
        var lines: [String] = []
        SyntheticTrace.write(functions: 60, invocations: 5000, seed: seed) { lines.append($0) }
        return lines
    }

    @Test func isTheSameForASeedAndHoldsWhatWasAsked() throws {
        let first = lines(1)
        #expect(first == lines(1))
        #expect(first != lines(2))
        #expect(first.count == 61)
        let counts = first.dropFirst().map { $0.split(separator: ",").dropFirst(4).reduce(0) { $0 + (Int($1) ?? -1) } }
        #expect(counts.allSatisfy { $0 >= 1 })
        #expect(abs(counts.reduce(0, +) - 5000) < 60)
    }
}
