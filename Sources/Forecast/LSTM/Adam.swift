import Glibc

/// Adam (Kingma and Ba, ICLR 2015) over the network's parameters, with the gradient clipped to a norm of 1.
struct Adam: Sendable {
    var mean: LSTMParameters
    var variance: LSTMParameters
    var steps: Float = 0
    var rate: Float = 0.002

    init(functions: Int) {
        mean = LSTMParameters(functions: functions)
        variance = mean
    }

    mutating func step(_ p: inout LSTMParameters, gradient g: LSTMParameters, scale: Float) {
        steps += 1
        var norm: Float = 0
        for table in [g.embedding, g.gap, g.fromInput, g.fromHidden, g.bias, g.output] {
            for row in table { norm += (row * row).sum() }
        }
        norm = (norm * scale * scale).squareRoot()
        let clip = scale * (norm > 1 ? 1 / norm : 1)
        let scales = Scales(
            clip: clip, first: 1 / (1 - powf(0.9, min(steps, 1000))),
            second: 1 / (1 - powf(0.999, min(steps, 10_000))), rate: rate)
        scales.apply(&p.embedding, g.embedding, &mean.embedding, &variance.embedding)
        scales.apply(&p.gap, g.gap, &mean.gap, &variance.gap)
        scales.apply(&p.fromInput, g.fromInput, &mean.fromInput, &variance.fromInput)
        scales.apply(&p.fromHidden, g.fromHidden, &mean.fromHidden, &variance.fromHidden)
        scales.apply(&p.bias, g.bias, &mean.bias, &variance.bias)
        scales.apply(&p.output, g.output, &mean.output, &variance.output)
        for index in g.outputBias.indices {
            let slope = g.outputBias[index] * clip
            let m = 0.9 * mean.outputBias[index] + 0.1 * slope
            let v = 0.999 * variance.outputBias[index] + 0.001 * slope * slope
            mean.outputBias[index] = m
            variance.outputBias[index] = v
            p.outputBias[index] -= rate * scales.first * m / ((scales.second * v).squareRoot() + 1e-8)
        }
    }

    private struct Scales {
        let clip: Float
        let first: Float
        let second: Float
        let rate: Float

        func apply(
            _ weights: inout [Vector32], _ gradient: [Vector32], _ mean: inout [Vector32], _ variance: inout [Vector32]
        ) {
            for index in gradient.indices {
                let slope = gradient[index] * clip
                // A row that was not part of the batch, and has come to rest: most embeddings are.
                if slope == .zero && (mean[index] * mean[index]).sum() < 1e-12 { continue }
                let m = 0.9 * mean[index] + 0.1 * slope
                let v = 0.999 * variance[index] + 0.001 * slope * slope
                mean[index] = m
                variance[index] = v
                weights[index] -= rate * first * m / ((second * v).squareRoot() + 1e-8)
            }
        }
    }
}
