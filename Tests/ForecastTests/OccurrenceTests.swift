import Testing

@testable import Forecast

@Suite struct OccurrenceTests {
    /// A periodic unit among random ones: its minutes must be told from the others.
    @Test func findsThePeriodOfAUnit() {
        var model = OccurrenceModel()
        let unit = model.addUnit()
        let noise = (0..<8).map { _ in model.addUnit() }
        var random = SeededGenerator(seed: 3)
        var due: [Float] = []
        var notDue: [Float] = []
        for minute in 0..<1200 {
            let truth = Truth.periodic(17, phase: 5, minute: minute)
            let p = model.predict(unit, minute: minute)
            if minute > 800 { if truth { due.append(p) } else { notDue.append(p) } }
            model.observe(unit, active: truth, minute: minute)
            for other in noise {
                _ = model.predict(other, minute: minute)
                model.observe(other, active: random.unit() < 1 / 17, minute: minute)
            }
        }
        #expect((due.min() ?? 0) > 0.8)
        #expect((notDue.max() ?? 1) < 0.1)
    }

    @Test func saysTheRateOfARandomUnit() {
        var model = OccurrenceModel()
        let unit = model.addUnit()
        var random = SeededGenerator(seed: 9)
        var said = 0.0
        var came = 0.0
        for minute in 0..<6000 {
            let truth = random.unit() < 0.1
            if minute > 1000 {
                said += Double(model.predict(unit, minute: minute))
                came += truth ? 1 : 0
            }
            model.observe(unit, active: truth, minute: minute)
        }
        #expect(abs(said / came - 1) < 0.15, "said \(said), came \(came); seed 9")
    }

    /// Called at random from nine to five, from the first to the fifth day of seven: mornings of days off look like
    /// those of working days in all but their place in the week.
    @Test func knowsTheDaysOfTheWeek() {
        var model = OccurrenceModel()
        let unit = model.addUnit()
        var random = SeededGenerator(seed: 14)
        var work: [Float] = []
        var off: [Float] = []
        for minute in 0..<5 * 10_080 {
            let (day, hour) = (minute / 1440 % 7, minute / 60 % 24)
            let isWork = day < 5 && (9..<17).contains(hour)
            if minute >= 4 * 10_080, minute % 1440 == 9 * 60 {
                let said = OccurrenceModel.probability(model.hazards(unit, from: minute, count: 15), within: 15)
                if day < 5 { work.append(said) } else { off.append(said) }
            }
            model.observe(unit, active: isWork && random.unit() < 0.2, minute: minute)
        }
        #expect(work.count == 5 && off.count == 2)
        // Without the week both are about 0.3: the night is as long before a day off as before any other.
        let (atWork, daysOff) = (work.reduce(0, +) / 5, off.reduce(0, +) / 2)
        #expect(atWork > 0.4 && daysOff < 0.2, "seed 14: \(work) at work, \(off) on days off")
    }

    @Test func hazardsComposeToLongerHorizons() {
        var model = OccurrenceModel()
        let unit = model.addUnit()
        for minute in 0..<900 { model.observe(unit, active: minute % 10 == 0, minute: minute) }
        // The last activity was in minute 890; the next is due in 900.
        let hazards = model.hazards(unit, from: 900, count: 15)
        #expect(hazards.count == 15)
        #expect(hazards[0] > 0.8)
        let later = model.hazards(unit, from: 900, count: 1)
        #expect(later[0] == hazards[0])
        #expect(OccurrenceModel.probability(hazards, within: 15) >= OccurrenceModel.probability(hazards, within: 5))
    }

    @Test func nothingIsKnownBeforeTheFirstActivity() {
        var model = OccurrenceModel()
        let unit = model.addUnit()
        model.observe(unit, active: false, minute: 3)
        #expect(of(&model) { $0.predict(unit, minute: 4) == 0 })
        #expect(of(&model) { $0.predictLogOdds(unit, minute: 4) == -.infinity })
        #expect(of(&model) { $0.hazards(unit, from: 4, count: 5).isEmpty })
    }

    @Test func slotsAreUsedAgainAndEmpty() {
        var model = OccurrenceModel()
        let first = model.addUnit()
        for minute in 0..<300 { model.observe(first, active: minute % 3 == 0, minute: minute) }
        model.removeUnit(first)
        let second = model.addUnit()
        #expect(second == first)
        #expect(of(&model) { $0.predict(second, minute: 301) == 0 })
        model.observe(second, active: true, minute: 301)
        #expect(model.units[Int(second)].gapCount == 0)
        #expect(!model.history.wasActive(Int(second), 297))
    }

    @Test func aPriorKnowsWhatAnEmptyModelDoesNot() throws {
        var teacher = OccurrenceModel()
        let units = (0..<20).map { _ in teacher.addUnit() }
        for minute in 0..<700 {
            for (index, unit) in units.enumerated() {
                teacher.observe(unit, active: minute % (7 + index) == 0, minute: minute)
            }
        }
        // Three gaps of 12 minutes each: is the fourth foreseen?
        func fourth(_ model: OccurrenceModel) -> Float {
            var model = model
            let unit = model.addUnit()
            for minute in 0..<36 { model.observe(unit, active: minute % 12 == 0, minute: minute) }
            return model.predict(unit, minute: 36)
        }
        let taught = try OccurrenceModel(prior: teacher.prior())
        #expect(fourth(taught) > fourth(OccurrenceModel()) + 0.1)
        #expect(taught.unitCount == 0)
    }

    @Test func forgettingRemovesTheUnitSilentLongest() {
        var model = OccurrenceModel()
        let units = (0..<4).map { _ in model.addUnit() }
        for (index, unit) in units.enumerated() { model.observe(unit, active: true, minute: 10 * index) }
        model.forget(toFit: 2 * OccurrenceModel.bytesPerUnit)
        #expect(model.unitCount == 2)
        #expect(of(&model) { $0.predict(units[0], minute: 50) == 0 })
        #expect(of(&model) { $0.predict(units[3], minute: 50) > 0 })
    }

    /// The gap that followed the same two gaps before.
    @Test func matchesTheGapPattern() {
        let gaps: [UInt16] = [3, 9, 4, 3, 9]
        let match = GapMatch(gaps, base: 0, count: 5, atLeast: 1)
        #expect(match.gap == 4)
        #expect(match.length == 2)
        #expect(GapMatch(gaps, base: 0, count: 5, atLeast: 5).gap != 4)
    }

    @Test func countsGapsAgainstTheIdleTime() {
        let counts = GapCounts([10, 10, 11, 9, 30, 100], base: 0, count: 6, k: 10)
        #expect(counts.equal == 2)
        #expect(counts.near == 2)
        #expect(counts.close == 4)
        #expect(counts.longer == 5)
    }

    @Test func intervalsSeeBelowTheMinute() throws {
        var model = IntervalModel()
        for call in 0..<12 { model.observe(0, time: 20 * Double(call)) }
        let soon = try #require(model.probability(0, within: 5, at: 221))
        let due = try #require(model.probability(0, within: 5, at: 236))
        #expect(soon < 0.1)
        #expect(due > 0.75)
        let when = try #require(model.due(0, share: 0.1, at: 221, limit: 60))
        #expect(when > 15 && when < 20)
    }

    private func of(_ model: inout OccurrenceModel, _ question: (inout OccurrenceModel) -> Bool) -> Bool {
        question(&model)
    }
}
