import Glibc
import Testing

@testable import Forecast

@Suite struct LoadTests {
    /// A daily wave with a drifting level: better than every naive rule.
    @Test func beatsTheNaiveRulesOnADriftingDay() {
        var model = LoadModel(slotsPerDay: 24)
        var random = SeededGenerator(seed: 2)
        var level = 1.0
        var errors = [String: Double]()
        for slot in 0..<24 * 28 {
            level *= exp(0.03 * Double(random.normal()))
            let truth = level * (100 + 60 * sin(Double(slot) * .pi / 12)) * exp(0.03 * Double(random.normal()))
            if slot >= 24 * 21 {
                errors["mix", default: 0] += abs(model.predict() - truth)
                for expert in [LoadModel.Expert.last, .yesterday, .profile] {
                    errors["\(expert)", default: 0] += abs((model.predict(expert) ?? 0) - truth)
                }
            }
            model.update(truth, quarter: nil)
        }
        let mix = errors["mix"] ?? .infinity
        for (name, error) in errors where name != "mix" { #expect(mix < 0.9 * error, "seed 2: \(name)") }
    }

    @Test func harmonicsContinueASine() throws {
        let series = (0..<168).map { 10 + 3 * sin(Double($0) * .pi / 12) }
        let next = try #require(Harmonics.next(series[...]))
        // The trend that a sine seems to have shows a little.
        #expect(abs(next - 10) < 0.6)
        let shifted = (6..<174).map { 10 + 3 * sin(Double($0) * .pi / 12) }
        let top = try #require(Harmonics.next(shifted[...]))
        #expect(abs(top - 13) < 0.6)
        #expect(Harmonics.next(series[0..<10]) == nil)
    }

    @Test func regressionFindsItsCoefficients() {
        var regression = RecursiveLeastSquares(inputs: 3, forgetting: 1, confidence: 1000)
        var random = SeededGenerator(seed: 3)
        for _ in 0..<500 {
            let inputs = [1, Double(random.normal()), Double(random.normal())]
            regression.learn(inputs, 2 - 3 * inputs[1] + 0.5 * inputs[2])
        }
        for (weight, truth) in zip(regression.weights, [2, -3, 0.5]) { #expect(abs(weight - truth) < 0.01) }
    }

    @Test func aLoadSurvivesSaving() throws {
        var model = LoadModel(slotsPerDay: 8)
        for slot in 0..<200 { model.update(Double(slot % 8 * slot % 13), quarter: 1, twelfth: 2) }
        var archive = ArchiveWriter(kind: .engine)
        model.save(to: &archive)
        var reader = try ArchiveReader(archive.finish(), kind: .engine)
        var loaded = try LoadModel(from: &reader)
        try reader.finish()
        #expect(abs(loaded.predict() - model.predict()) < 1e-9)
    }

    @Test func nonsenseDoesNoHarm() {
        var model = LoadModel(slotsPerDay: 4)
        for value in [0, -5, Double.nan, .infinity, 0, 0, 3] { model.update(value, quarter: nil) }
        for _ in 0..<100 { model.update(0, quarter: nil) }
        #expect(model.predict().isFinite && model.predict() >= 0)
    }
}
