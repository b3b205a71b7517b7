import Testing

@testable import Forecast

/// The windows that a pool is told, and what its outcomes do to them.
struct WindowTests {
    private static func nanoseconds(_ seconds: Double) -> Int64 { Int64(seconds * 1e9) }

    private static func request(_ function: String, _ seconds: Double, user: String? = nil) -> Observation {
        Observation(
            time: nanoseconds(seconds), .request(function: function, user: user, session: nil, arguments: 0))
    }

    private func windows(_ engine: inout Forecaster, _ function: String, at seconds: Double) throws -> [CallWindow] {
        let number = try #require(engine.functionNames.find(function))
        return engine.windows(number, at: Self.nanoseconds(seconds), costPerSecond: 6e-4)
    }

    @Test func aRegularGapIsDueToTheSecond() throws {
        var engine = try Forecaster()
        for call in 0..<8 { engine.observe(Self.request("beat", 10_000 + 20 * Double(call))) }
        let told = try windows(&engine, "beat", at: 10_141)
        let window = try #require(told.first { $0.origin == .rhythm })
        #expect(window.due > Self.nanoseconds(10_158) && window.due < Self.nanoseconds(10_160.5))
        #expect(window.until > Self.nanoseconds(10_160) && window.until < Self.nanoseconds(10_163))
        #expect(window.probability > 0.7)
        // It did not come: what is expected then is no longer that gap.
        let late = try windows(&engine, "beat", at: 10_175).first { $0.origin == .rhythm }
        #expect(late?.due != window.due)
    }

    @Test func irregularGapsGiveNoRegularOne() throws {
        var engine = try Forecaster()
        var time = 10_000.0
        for gap in [3.0, 40, 9, 170, 21, 77, 5, 300] {
            engine.observe(Self.request("odd", time))
            time += gap
        }
        let number = try #require(engine.functionNames.find("odd"))
        #expect(engine.intervals.regularGap(number, at: time - 295) == nil)
    }

    @Test func aStaticEdgeOpensAWindowAtOnce() throws {
        var engine = try Forecaster()
        engine.observe(Observation(time: 0, .dependency(from: .function("a"), to: "b", lag: 0.25)))
        engine.observe(Self.request("a", 5000))
        let told = try windows(&engine, "b", at: 5000.01)
        let window = try #require(told.first { $0.origin == .dependency })
        #expect(window.probability > 0.5, "\(window)")
        #expect(window.until <= Self.nanoseconds(5010))
        engine.remove("b")
        engine.observe(Self.request("a", 5100))
        let left = try windows(&engine, "b", at: 5100.01)
        #expect(left.isEmpty)
    }

    /// A log that is read afterwards: its times stay its own, and what is known of now is not moved.
    @Test func thePastIsLearnedAtItsOwnTime() throws {
        var engine = try Forecaster()
        engine.advance(to: Self.nanoseconds(100_000))
        for call in 0..<20 {
            let isUsed = [("beat", 0.0), ("after", 1.5)].map {
                engine.recall(Self.request($0.0, 90_000 + 100 * Double(call) + $0.1))
            }
            #expect(isUsed == [true, true])
        }
        #expect(engine.latest == 100_000)
        let number = try #require(engine.functionNames.find("beat"))
        #expect(engine.intervals.lastCall(number) == 91_900)
        let isOlderUsed = engine.recall(Self.request("beat", 50_000))
        #expect(!isOlderUsed, "older than what is known of it")
        // The order was learned, and nothing is expected of the past itself.
        let past = try windows(&engine, "after", at: 100_000)
        #expect(past.allSatisfy { $0.origin == .rhythm })
        engine.recall(Self.request("beat", 100_001))
        let then = try windows(&engine, "after", at: 100_001.1)
        #expect(then.contains { $0.origin == .dependency && $0.probability > 0.5 }, "\(then)")
    }

    @Test func outcomesCorrectWhatIsSaid() throws {
        var outcomes = OutcomeCalibration(sources: 2)
        for turn in 0..<512 { outcomes.learn(0.9, source: 0, turn % 4 == 0 ? .hit : .wasted) }
        // One time in four; the classes beside it, of which nothing was seen, hold the correction back.
        #expect(outcomes.corrected(0.9, source: 0) < 0.7)
        #expect(abs(outcomes.corrected(0.9, source: 1) - 0.9) < 0.01)
        #expect(outcomes.hits[0] == 128 && outcomes.wasted[0] == 384)
        for _ in 0..<4 { outcomes.learn(0.9, source: 1, .late) }
        #expect(outcomes.advance == 200_000_000)
        let bytes = outcomes.save()
        let again = try OutcomeCalibration(bytes, sources: 2)
        #expect(again.corrected(0.9, source: 0) == outcomes.corrected(0.9, source: 0))
        #expect(again.advance == outcomes.advance)
        var damaged = bytes
        damaged[40] ^= 1
        #expect(throws: ForecastError.self) { try OutcomeCalibration(damaged, sources: 2) }
        #expect(throws: ForecastError.self) { try OutcomeCalibration(bytes, sources: 3) }
    }
}
