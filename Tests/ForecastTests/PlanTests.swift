import Glibc
import Testing

@testable import Forecast

/// A coordinator's plan as a source of the ensemble.
@Suite struct PlanTests {
    private func opinion(_ engine: inout Forecaster, _ function: String, at seconds: Double) -> Outlook.Opinion? {
        engine.outlook(function, at: Truth.seconds(seconds))?.opinions.first { $0.source == .plan }
    }

    private func window(_ probability: Float, _ start: Double, _ end: Double) -> PlannedWindow {
        PlannedWindow(probability: probability, start: Truth.seconds(start), end: Truth.seconds(end))
    }

    @Test func itFadesToItsEnd() throws {
        var engine = try Forecaster()
        engine.plan("g", window(0.9, 1000, 1900))
        var last: Float = 1
        for seconds in stride(from: 1000.0, to: 1900, by: 100) {
            let said = try #require(opinion(&engine, "g", at: seconds))
            #expect(said.shares.allSatisfy { $0 == 1 })
            #expect(said.probabilities[2] < last)
            last = said.probabilities[2]
            if seconds == 1000 { #expect(abs(said.probabilities[2] - 0.9) < 1e-4) }
            // A constant rate: what is left of the window is its share of the exponent.
            #expect(abs(said.probabilities[0] - (1 - powf(0.1, 60 / 900))) < 1e-4)
        }
        #expect(opinion(&engine, "g", at: 1900) == nil)
    }

    @Test func aWindowAheadIsSaidWhereAHorizonReachesIt() throws {
        var engine = try Forecaster()
        engine.plan("g", window(0.8, 2000, 2100))
        engine.plan("g", window(0.5, 9000, 9100))
        #expect(opinion(&engine, "g", at: 1000) == nil)
        let outlook = engine.outlook("g", at: Truth.seconds(1800))
        let said = try #require(outlook)
        #expect(said.probabilities[0] == 0)
        #expect(said.probabilities[1] > 0.75)
        #expect(said.due == Truth.seconds(2000))
        #expect(engine.planned(said.function, at: Truth.seconds(1800)) == nil)
        #expect(engine.planned(said.function, at: Truth.seconds(2050)) == 0.8)
        let ranked = engine.ranking(at: Truth.seconds(1800), horizon: 1).map(\.function)
        #expect(ranked == [said.function])
        engine.clearPlan()
        let cleared = engine.outlook("g", at: Truth.seconds(1800))
        #expect(cleared == nil)
    }

    /// The pool has the plan's entries as demand of their own: a window says what the node sees by itself.
    @Test func windowsLeaveThePlanOut() throws {
        var engine = try Forecaster()
        for call in 0..<4 { engine.observe(Truth.request("f", at: 1000 + 700 * Double(call * call))) }
        let number = try #require(engine.functionNames.find("f"))
        let without = engine.windows(number, at: Truth.seconds(7400), costPerSecond: 1e-4)
        engine.plan("f", window(0.99, 7300, 8200))
        let with = engine.windows(number, at: Truth.seconds(7400), costPerSecond: 1e-4)
        #expect(!with.isEmpty && with == without)
        let outlook = engine.outlook(number, at: Truth.seconds(7400))
        #expect(outlook?.opinions.contains { $0.source == .plan && $0.shares[2] > 0.3 } == true)
        // A plan alone is no window at all.
        engine.plan("g", window(0.99, 7300, 8200))
        let planned = try #require(engine.functionNames.find("g"))
        #expect(engine.windows(planned, at: Truth.seconds(7400), costPerSecond: 1e-4).isEmpty)
    }

    /// Plans that are sure, and right one time in five: believed at first, and weighed then.
    @Test func theEnsembleLearnsWhatPlansAreWorth() throws {
        var engine = try Forecaster()
        var random = SeededGenerator(seed: 71)
        for function in 0..<40 { engine.observe(Truth.request("f\(function)", at: Double(function))) }
        let first = 4000.0
        engine.plan("f0", window(0.95, first, first + 900))
        let before = engine.outlook("f0", at: Truth.seconds(first))?.probabilities[2] ?? 0
        #expect(before > 0.9)
        for turn in 0..<60 {
            let start = first + 2000 * Double(turn)
            engine.clearPlan()
            for function in 0..<40 { engine.plan("f\(function)", window(0.95, start, start + 900)) }
            engine.advance(to: Truth.seconds(start))
            for function in 0..<40 where random.unit() < 0.2 {
                engine.observe(Truth.request("f\(function)", at: start + 450))
            }
            engine.advance(to: Truth.seconds(start + 901))
        }
        let last = first + 2000 * 60
        engine.clearPlan()
        for function in 0..<40 { engine.plan("f\(function)", window(0.95, last, last + 900)) }
        let said = (0..<40).compactMap { engine.outlook("f\($0)", at: Truth.seconds(last))?.probabilities[2] }
        let mean = said.reduce(0, +) / Float(said.count)
        #expect(mean > 0.08 && mean < 0.4, "seed 71: one in five came, \(mean) is said")
    }
}
