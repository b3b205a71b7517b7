import Testing

@testable import Forecast

@Suite struct CalibrationTests {
    /// Scores twice too sure must be brought back.
    @Test func overconfidenceIsUndone() {
        var calibrator = Calibrator()
        var random = SeededGenerator(seed: 5)
        for _ in 0..<20_000 {
            let truth = 4 * random.unit() - 2
            calibrator.learn(2 * truth, hit: random.unit() < LogOdds.probability(truth))
        }
        for truth: Float in [-1.5, -0.5, 0.5, 1.5] {
            let said = calibrator.probability(2 * truth)
            #expect(abs(said - LogOdds.probability(truth)) < 0.06, "seed 5, at \(truth): \(said)")
        }
    }

    @Test func calibrationIsMonotone() {
        var calibrator = Calibrator()
        var random = SeededGenerator(seed: 12)
        for _ in 0..<3000 { calibrator.learn(10 * random.unit() - 5, hit: random.unit() < 0.3) }
        let said = stride(from: Float(-6), to: 6, by: 0.1).map { calibrator.probability($0) }
        for (low, high) in zip(said, said.dropFirst()) { #expect(high >= low - 1e-4, "seed 12") }
    }

    /// One source tells the truth, the other nothing: the answer must rest on the first.
    @Test func stackingFindsTheSourceThatKnows() {
        var stacker = HorizonStacker()
        var random = SeededGenerator(seed: 14)
        for _ in 0..<20_000 {
            let truth = random.unit()
            let (inputs, mask) = HorizonStacker.inputs([truth, random.unit()])
            stacker.learn(inputs, mask, hit: random.unit() < truth)
        }
        for truth: Float in [0.1, 0.5, 0.9] {
            for other: Float in [0.2, 0.8] {
                let (inputs, mask) = HorizonStacker.inputs([truth, other])
                let said = stacker.probability(inputs, mask)
                #expect(abs(said - truth) < 0.15, "seed 14: \(truth) with \(other) gave \(said)")
            }
        }
        let shares = stacker.shares([0.9, 0.5])
        #expect(shares[0] > 0.6)
        #expect(abs(shares.reduce(0, +) - 1) < 1e-4)
    }

    @Test func noSourceNoForecast() {
        let stacker = HorizonStacker()
        let (inputs, mask) = HorizonStacker.inputs([nil, nil])
        #expect(stacker.probability(inputs, mask) == 0)
    }

    @Test func namesAreInternedAndReleased() {
        var names = Interner()
        let a = names.intern("a")
        #expect(names.intern("a") == a)
        names.release(a)
        #expect(names.find("a") == nil)
        #expect(names.intern("b") == a)
        #expect(names.name(a) == "b")
    }
}
