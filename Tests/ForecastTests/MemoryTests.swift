import Testing

@testable import Forecast

/// What is forgotten to fit a budget, and what is left.
@Suite struct MemoryTests {
    private func settings() -> ForecastSettings {
        var settings = ForecastSettings()
        settings.functions = 400
        settings.users = 2000
        settings.successors = 20_000
        settings.dependencies = 2000
        return settings
    }

    /// The latest fifty functions are called every minute or so, by the latest users; the others were long ago.
    private func busy() throws -> Forecaster {
        var engine = try Forecaster(settings: settings())
        var random = SeededGenerator(seed: 61)
        for call in 0..<8000 {
            engine.observe(
                Truth.request("old-\(random.below(350))", user: "u\(random.below(4000))", at: Double(call)))
        }
        for call in 0..<4000 {
            engine.observe(
                Truth.request("new-\(random.below(50))", user: "v\(random.below(300))", at: 8000 + Double(call)))
        }
        return engine
    }

    @Test(arguments: [0.9, 0.6, 0.3, 0.1, 0.02]) func aBudgetIsKept(share: Double) throws {
        var engine = try busy()
        let fixed = try Forecaster(settings: settings()).memoryBytes
        let held = engine.memoryBytes
        let budget = fixed + Int(Double(held - fixed) * share)
        let left = engine.forget(toFit: budget)
        #expect(left == engine.memoryBytes)
        #expect(left <= budget, "\(held) bytes held, \(fixed) by an empty engine")
        // It is reached once: whoever asks again loses nothing more.
        let known = engine.occurrence.unitCount
        engine.forget(toFit: budget)
        #expect(engine.occurrence.unitCount == known)
        #expect(share < 0.3 || known >= 50, "\(known) functions left")
        // The latest stay longest.
        let oldKept = try (0..<350).count { try isKnown("old-\($0)", engine) }
        let newKept = try (0..<50).count { try isKnown("new-\($0)", engine) }
        #expect(newKept == 50 || oldKept == 0, "\(oldKept) old ones and \(newKept) new ones")
        // And it goes on: what is saved can be loaded, what is called is learned.
        for call in 0..<500 {
            engine.observe(Truth.request("next-\(call % 20)", user: "w\(call % 30)", at: 13_000 + Double(call) * 5))
            engine.advance(to: Truth.seconds(13_000 + Double(call) * 5), limit: 10)
        }
        let outlook = engine.outlook("next-3", at: Truth.seconds(15_500))
        #expect(outlook?.probabilities.last ?? 0 > 0.5)
        let bytes = engine.save()
        #expect(try Forecaster(bytes).save() == bytes)
    }

    private func isKnown(_ name: String, _ engine: Forecaster) throws -> Bool {
        let number = try #require(engine.functionNames.find(name))
        return Int(number) < engine.functions.count && engine.functions[Int(number)] != nil
    }

    /// Nothing is left to forget below what an empty engine and the names take, and that is told.
    @Test func aBudgetThatCannotBeKeptIsTold() throws {
        var engine = try busy()
        let left = engine.forget(toFit: 1000)
        #expect(left > 1000 && left == engine.memoryBytes)
        #expect(engine.occurrence.unitCount == 0 && engine.userNames.count == 0)
        let fixed = try Forecaster(settings: settings()).memoryBytes
        #expect(left < fixed + 200_000, "\(left) bytes left, \(fixed) by an empty engine")
    }

    /// Functions that stay forecast the same after others' storage was given back.
    @Test func whoMovesIsStillTheSame() {
        var model = OccurrenceModel()
        var alone = OccurrenceModel()
        let units = (0..<40).map { _ in (model.addUnit(), alone.addUnit()) }
        for minute in 0..<600 {
            for (number, unit) in units.enumerated() {
                model.observe(unit.0, active: minute % (3 + number) == 0, minute: minute)
                alone.observe(unit.1, active: minute % (3 + number) == 0, minute: minute)
            }
        }
        for (number, unit) in units.enumerated() where number % 3 != 0 {
            model.removeUnit(unit.0)
            alone.removeUnit(unit.1)
        }
        let before = model.memoryBytes
        let moves = model.compact()
        #expect(model.unitCount == 14 && model.units.count == 14)
        #expect(model.memoryBytes <= before - 26 * OccurrenceModel.bytesPerUnit)
        for (number, unit) in units.enumerated() where number % 3 == 0 {
            let slot = moves.first { $0.from == unit.0 }?.to ?? unit.0
            let (here, there) = (model.hazards(slot, from: 600, count: 5), alone.hazards(unit.1, from: 600, count: 5))
            #expect(here == there, "\(number)")
        }
        #expect(model.addUnit() == 14)
    }

    @Test func blocksAreCutShort() {
        var blocks = Blocks<Int>(repeating: 1, count: 2 * Blocks<Int>.size + 3)
        blocks.truncate(to: Blocks<Int>.size + 1)
        blocks.append(7)
        #expect(blocks.count == Blocks<Int>.size + 2 && blocks[Blocks<Int>.size + 1] == 7)
        blocks.truncate(to: Blocks<Int>.size)
        blocks.append(8)
        #expect(blocks.count == Blocks<Int>.size + 1 && blocks[Blocks<Int>.size] == 8)
        blocks.truncate(to: 0)
        blocks.append(9)
        #expect(Array(blocks) == [9])
    }
}
