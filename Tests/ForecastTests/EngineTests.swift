import Testing

@testable import Forecast

@Suite struct EngineTests {
    private func engine(_ sources: Set<ForecastSource> = Set(ForecastSource.allCases)) throws -> Forecaster {
        var settings = ForecastSettings()
        settings.functions = 100
        settings.users = 100
        settings.successors = 10_000
        settings.sources = sources
        return try Forecaster(settings: settings)
    }

    @Test func aFunctionCalledEveryTwentySecondsIsDueInTwentySeconds() throws {
        var engine = try engine()
        for call in 0..<30 {
            engine.observe(Truth.request("tick", at: 1000 + 20 * Double(call)))
            engine.advance(to: Truth.seconds(1010 + 20 * Double(call)))
        }
        let now = 1000 + 20 * 29.0 + 1
        let outlook = try engine.sure("tick", at: Truth.seconds(now))
        #expect(outlook.probabilities[0] > 0.8)
        let wait = Double(outlook.due) * 1e-9 - now
        #expect(wait > 14 && wait < 20)
        #expect(outlook.opinions.contains { $0.source == .interval })
    }

    /// After a, b follows in about 5 s for every user: b must rise after a, and the reason must be named.
    @Test func afterAComesB() throws {
        var engine = try engine()
        var time = 10_000.0
        var random = SeededGenerator(seed: 17)
        for round in 0..<40 {
            let user = "u\(round % 5)"
            engine.observe(Truth.request("a", user: user, at: time))
            engine.observe(Truth.request("b", user: user, at: time + 5))
            engine.observe(Truth.request("c", user: "x", at: time + 100))
            time += 200 + 3000 * Double(random.unit())
            engine.advance(to: Truth.seconds(time))
        }
        let before = try engine.sure("b", at: Truth.seconds(time))
        _ = engine.takeChanged()
        engine.observe(Truth.request("a", user: "u1", at: time + 1))
        let changed = engine.takeChanged()
        let b = try #require(engine.functionNames.find("b"))
        #expect(changed.contains(b))
        let after = try engine.sure("b", at: Truth.seconds(time + 2))
        #expect(after.probabilities[0] > 0.5)
        #expect(after.probabilities[0] > before.probabilities[0] + 0.2)
        let reasons = after.opinions.filter { $0.source == .sequence || $0.source == .dependency }
        #expect(reasons.reduce(0) { $0 + $1.shares[0] } > 0.3)
        let next = engine.outlook(user: "u1", at: Truth.seconds(time + 2))
        #expect(next.first?.function == engine.functionNames.find("b"))
    }

    @Test func aBoundTopicMakesItsFunctionExpected() throws {
        var engine = try engine()
        engine.observe(
            Observation(time: Truth.seconds(50), .dependency(from: .topic("orders"), to: "bill", lag: 2)))
        engine.observe(Observation(time: Truth.seconds(60), .event(topic: "orders", key: nil)))
        let outlook = try engine.sure("bill", at: Truth.seconds(61))
        #expect(outlook.probabilities[0] > 0.4)
        #expect(outlook.opinions.map(\.source) == [.dependency])
    }

    @Test func aPlanIsAnOpinionWithAnEnd() throws {
        var engine = try engine()
        engine.observe(Truth.request("f", at: 10))
        engine.plan("g", PlannedWindow(probability: 0.9, start: Truth.seconds(10), end: Truth.seconds(100)))
        let during = try engine.sure("g", at: Truth.seconds(50))
        let after = try engine.sure("g", at: Truth.seconds(101))
        #expect(during.probabilities[0] > 0.7)
        #expect(after.probabilities[0] == 0)
    }

    @Test func dependenciesLearnTheirLag() {
        var model = DependencyModel()
        for round in 0..<50 {
            let time = Double(round) * 1000
            model.occurred(.function(1), user: Signal.nobody, time: time)
            model.followed(2, user: Signal.nobody, time: time + 40)
            model.occurred(.function(2), user: Signal.nobody, time: time + 40)
        }
        let effects = model.effects(of: .function(1))
        #expect(effects.map(\.function) == [2])
        #expect((effects.first?.probability ?? 0) > 0.9)
        let median = effects.first?.lags.quantile(0.5) ?? 0
        #expect(median > 30 && median < 64)
        #expect(model.effects(of: .function(2)).isEmpty)
    }

    /// What merely happens often is no effect of anything.
    @Test func chanceIsNoDependency() {
        var model = DependencyModel()
        var random = SeededGenerator(seed: 6)
        var time = 0.0
        for _ in 0..<4000 {
            time += 5
            let function = UInt32(random.below(4))
            model.followed(function, user: Signal.nobody, time: time)
            model.occurred(.function(function), user: Signal.nobody, time: time)
        }
        for cause: UInt32 in 0..<4 {
            #expect(model.effects(of: .function(cause)).allSatisfy { $0.probability < 0.5 }, "seed 6")
        }
    }

    @Test func stateSurvivesSavingAndGoesOnTheSame() throws {
        var engine = try engine()
        var random = SeededGenerator(seed: 31)
        for call in 0..<3000 {
            let function = "f\(random.below(12))"
            engine.observe(Truth.request(function, user: "u\(random.below(9))", at: Double(call) * 7))
            if call % 10 == 0 { engine.advance(to: Truth.seconds(Double(call) * 7)) }
        }
        let bytes = engine.save()
        var loaded = try Forecaster(bytes)
        #expect(loaded.save() == bytes)
        for number in 0..<12 {
            // Past the expectations of the moment, which are not kept.
            let time = Truth.seconds(3000 * 7 + 4000)
            let mine = try engine.sure("f\(number)", at: time)
            let theirs = try loaded.sure("f\(number)", at: time)
            for (a, b) in zip(mine.probabilities, theirs.probabilities) { #expect(abs(a - b) < 0.02) }
        }
    }

    @Test func damagedAndNewerFilesAreRefused() throws {
        var engine = try engine()
        for call in 0..<50 { engine.observe(Truth.request("f", user: "u", at: Double(call) * 30)) }
        let bytes = engine.save()
        var random = SeededGenerator(seed: 77)
        for _ in 0..<40 {
            var damaged = bytes
            damaged[random.below(bytes.count)] ^= 1 << UInt8(random.below(8))
            #expect(throws: ForecastError.self, "seed 77") { try Forecaster(damaged) }
        }
        for length in [0, 7, 31, bytes.count / 2, bytes.count - 1] {
            #expect(throws: ForecastError.self) { try Forecaster(Array(bytes.prefix(length))) }
        }
        var newer = bytes
        newer[12] = 200
        #expect(throws: ForecastError.newer(what: "the saved forecast state", version: 200, known: 2)) {
            try Forecaster(newer)
        }
        #expect(throws: ForecastError.self) { try OccurrenceModel(prior: bytes) }
        // Sound, but of the first form: told apart from damage.
        var older = Array(bytes.dropLast(8))
        older[12] = 1
        withUnsafeBytes(of: ArchiveWriter.checksum(older[...]).littleEndian) { older.append(contentsOf: $0) }
        let refused = ForecastError.older(what: "the saved forecast state", version: 1, known: 2)
        #expect(throws: refused) { try Forecaster(older) }
        #expect(refused.description.contains("version 1") && refused.description.contains("version 2"))
    }

    @Test func memoryStaysWithinItsBound() throws {
        var engine = try engine()
        var random = SeededGenerator(seed: 8)
        for call in 0..<6000 {
            let function = "f\(random.below(300))"
            engine.observe(Truth.request(function, user: "u\(random.below(3000))", at: Double(call)))
        }
        #expect(engine.occurrence.unitCount <= 100)
        #expect(engine.userNames.count <= 100)
        let bytes = engine.memoryBytes
        engine.forget(toFit: bytes * 3 / 4)
        #expect(engine.memoryBytes <= bytes * 3 / 4)
        // It goes on working.
        engine.observe(Truth.request("new", user: "v", at: 7000))
        let outlook = engine.outlook("new", at: Truth.seconds(7001))
        #expect(outlook != nil)
    }

    @Test func endlessNamesAreRefused() throws {
        var settings = ForecastSettings()
        settings.functions = 16
        var engine = try Forecaster(settings: settings)
        for call in 0..<200 { engine.observe(Truth.request("path-\(call)", at: Double(call))) }
        #expect(engine.functionNames.count == 64)
        #expect(engine.ignored == 136)
        engine.observe(Truth.request("path-3", at: 300))
        let known = engine.outlook("path-3", at: Truth.seconds(301))
        #expect(known != nil)
    }

    @Test func settingsOutsideTheirRangeAreRefused() {
        var settings = ForecastSettings()
        settings.functions = 0
        #expect(throws: ForecastError.self) { try Forecaster(settings: settings) }
    }
}

extension Forecaster {
    /// The outlook, which must exist.
    fileprivate mutating func sure(_ function: String, at time: Int64) throws -> Outlook {
        let outlook = outlook(function, at: time)
        return try #require(outlook)
    }
}
