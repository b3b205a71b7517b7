import Testing

@testable import Forecast

@Suite struct LSTMTests {
    /// Backpropagation against central differences, for a sample of every table.
    @Test func gradientsAgreeWithFiniteDifferences() {
        var random = SeededGenerator(seed: 41)
        var weights = LSTMParameters(functions: 0)
        weights.initialize(&random)
        weights.grow(to: 6, &random, isWeights: true)
        for function in 0..<6 { weights.output[function] = LSTMParameters.randomRow(0.5, &random) }
        let steps = [(1, 0), (3, 2), (5, 1), (1, 4)].map { LSTMStep(function: $0.0, gapClass: $0.1) }
        var gradient = LSTMParameters(functions: 6)
        var scores: [Float] = []
        _ = LSTM.learn(weights, steps, target: 2, gradient: &gradient, scores: &scores)
        func loss(_ weights: LSTMParameters) -> Float {
            var unused = LSTMParameters(functions: 6)
            var scores: [Float] = []
            return LSTM.learn(weights, steps, target: 2, gradient: &unused, scores: &scores)
        }
        let h: Float = 0.02
        for (number, table) in LSTMParameters.tables.enumerated() {
            for _ in 0..<12 {
                let row = random.below(weights[keyPath: table].count)
                let lane = random.below(32)
                var up = weights
                up[keyPath: table][row][lane] += h
                var down = weights
                down[keyPath: table][row][lane] -= h
                let measured = (loss(up) - loss(down)) / (2 * h)
                let said = gradient[keyPath: table][row][lane]
                #expect(
                    abs(measured - said) < 3e-4 + 0.02 * abs(said),
                    "seed 41, table \(number) row \(row) lane \(lane): \(measured) against \(said)")
            }
        }
        for function in 0..<6 {
            var up = weights
            up.outputBias[function] += h
            var down = weights
            down.outputBias[function] -= h
            #expect(abs((loss(up) - loss(down)) / (2 * h) - gradient.outputBias[function]) < 1e-3)
        }
    }

    private func train(_ seed: UInt64, calls: Int) -> SequenceNetwork {
        var network = SequenceNetwork(limit: 16, seed: seed)
        // 0 1 0 2 0 1 0 2 ...: what follows 0 depends on what was before it.
        for call in 0..<calls { network.update([0, 1, 0, 2][call % 4], stream: 1, gap: 5) }
        return network
    }

    @Test func learnsWhatNeedsTwoSteps() {
        // 240 calls end after a 2: next comes 0, and after it 1.
        var network = train(3, calls: 600)
        network.predict(stream: 1)
        #expect(network.probability(0) > 0.9, "seed 3")
        network.isLearning = false
        network.update(0, stream: 1, gap: 5)
        network.predict(stream: 1)
        #expect(network.probability(1) > 0.8, "seed 3")
    }

    @Test func aSeededRunIsReproducible() {
        #expect(train(9, calls: 100).weights == train(9, calls: 100).weights)
        #expect(train(9, calls: 100).weights != train(10, calls: 100).weights)
    }

    @Test func weightsSurviveTheirFileAndDamageIsRefused() throws {
        let network = train(5, calls: 60)
        let bytes = network.saveWeights()
        #expect(try SequenceNetwork(weights: bytes, limit: 16).weights == network.weights)
        var damaged = bytes
        damaged[bytes.count / 2] ^= 4
        #expect(throws: ForecastError.self) { try SequenceNetwork(weights: damaged, limit: 16) }
        #expect(throws: ForecastError.self) { try SequenceNetwork(weights: bytes, limit: 2) }
    }
}
