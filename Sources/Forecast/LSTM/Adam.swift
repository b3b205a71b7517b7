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
        for table in LSTMParameters.tables {
            for row in g[keyPath: table] { norm += (row * row).sum() }
        }
        norm = (norm * scale * scale).squareRoot()
        let clip = scale * (norm > 1 ? 1 / norm : 1)
        let first = 1 / (1 - powf(0.9, min(steps, 1000)))
        let second = 1 / (1 - powf(0.999, min(steps, 10_000)))
        for table in LSTMParameters.tables {
            for index in g[keyPath: table].indices {
                let slope = g[keyPath: table][index] * clip
                let m = 0.9 * mean[keyPath: table][index] + 0.1 * slope
                let v = 0.999 * variance[keyPath: table][index] + 0.001 * slope * slope
                mean[keyPath: table][index] = m
                variance[keyPath: table][index] = v
                p[keyPath: table][index] -= rate * first * m / ((second * v).squareRoot() + 1e-8)
            }
        }
        for index in g.outputBias.indices {
            let slope = g.outputBias[index] * clip
            let m = 0.9 * mean.outputBias[index] + 0.1 * slope
            let v = 0.999 * variance.outputBias[index] + 0.001 * slope * slope
            mean.outputBias[index] = m
            variance.outputBias[index] = v
            p.outputBias[index] -= rate * first * m / ((second * v).squareRoot() + 1e-8)
        }
    }
}
