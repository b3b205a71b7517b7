@testable import Forecast
import Testing

/// What the users who are about say of the units, and the refinement of a mixed forecast.
struct PresenceTests {
    /// Every user who calls unit 0 calls unit 1 three minutes later; unit 2 is as popular, and nobody about calls it.
    @Test func whoIsAboutTellsTheUnit() {
        var model = PresenceModel()
        var minute = 0
        for round in 0..<200 {
            let user = UInt32(round % 40)
            model.called(0, by: user, minute: minute)
            model.called(1, by: user, minute: minute + 3)
            model.called(2, by: 1000 + UInt32(round), minute: minute + 200)
            minute += 500
        }
        model.called(0, by: 7, minute: minute)
        model.advance(to: minute + 3)
        let due = model.probability(1)
        #expect(due > 0.3, "unit 1 is due, the model says \(due)")
        #expect(model.probability(2) < due / 20)
        model.advance(to: minute + 300)
        #expect(model.probability(1) < 0.01, "nobody is about any more")
    }

    @Test func aUserWhoRepeatsIsTold() {
        var model = PresenceModel()
        for minute in 0..<300 where minute % 2 == 0 { model.called(5, by: 1, minute: minute) }
        model.advance(to: 300)
        #expect(model.probability(5) > 0.5)
        model.advance(to: 301)
        #expect(model.probability(5) < 0.3, "the user calls at even minutes")
    }

    @Test func usersAreBounded() {
        var model = PresenceModel(capacity: 100)
        for user in 0..<10_000 as Range<UInt32> { model.called(user % 7, by: user, minute: Int(user) / 20) }
        model.advance(to: 600)
        #expect(model.memoryBytes < 4_000_000)
        #expect(model.isInformed)
    }

    @Test func aForgottenUnitIsNotExpected() {
        var model = PresenceModel()
        for minute in 0..<100 { model.called(3, by: 1, minute: minute) }
        model.forget(3)
        model.advance(to: 101)
        #expect(model.probability(3) < 0.2)
    }

    @Test func theRefinementBeginsAsTheIdentityAndLearns() {
        var refinement = Refinement()
        for logOdds: Float in [-7.3, -2, 0.1, 3.4] {
            let place = refinement.place(logOdds, .zero)
            #expect(abs(refinement.refine(logOdds, place) - logOdds) < 0.12, "identity at \(logOdds)")
        }
        // A mixer that says 50 % of what happens one time in ten.
        for trial in 0..<3000 { refinement.learn(refinement.place(0, .zero), trial % 10 == 0 ? 1 : 0) }
        let told = LogOdds.probability(refinement.refine(0, refinement.place(0, .zero)))
        #expect(told > 0.08 && told < 0.16, "it says \(told)")
        let elsewhere = SIMD8<Int32>(1, 1, 1, 1, 1, 1, 0, 0)
        #expect(abs(refinement.refine(0, refinement.place(0, elsewhere))) < 0.01, "other contexts learned nothing")
    }

    @Test func everythingIsSavedAndLoaded() throws {
        var model = OccurrenceModel()
        let units = (0..<4).map { _ in model.addUnit() }
        for minute in 0..<400 {
            for (index, unit) in units.enumerated() {
                let active = minute % (index + 2) == 0
                if active { model.called(unit, by: UInt32(minute % 9), minute: minute) }
                model.observe(unit, active: active, minute: minute)
            }
        }
        var writer = ArchiveWriter(kind: .engine)
        model.save(to: &writer)
        let bytes = writer.finish()
        var reader = try ArchiveReader(bytes, kind: .engine)
        var copy = try OccurrenceModel(from: &reader)
        try reader.finish()
        for minute in 400..<460 {
            for (index, unit) in units.enumerated() {
                let told = model.predict(unit, minute: minute)
                #expect(abs(copy.predict(unit, minute: minute) - told) < 1e-4)
                for active in [minute % (index + 2) == 0] {
                    if active {
                        model.called(unit, by: 3, minute: minute)
                        copy.called(unit, by: 3, minute: minute)
                    }
                    model.observe(unit, active: active, minute: minute)
                    copy.observe(unit, active: active, minute: minute)
                }
            }
        }
    }
}
