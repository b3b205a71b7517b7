/// Linear regression that learns one observation at a time with exponential forgetting (Plackett 1950; Ljung 1999,
/// chapter 11). O(n^2) a step for n inputs.
package struct RecursiveLeastSquares: Sendable {
    package private(set) var weights: [Double]
    /// Inverse of the weighted input covariance, row-major.
    private var inverse: [Double]
    private let forgetting: Double

    package init(inputs: Int, forgetting: Double, confidence: Double = 1) {
        weights = [Double](repeating: 0, count: inputs)
        inverse = [Double](repeating: 0, count: inputs * inputs)
        for index in 0..<inputs { inverse[index * inputs + index] = confidence }
        self.forgetting = forgetting
    }

    package func predict(_ inputs: [Double]) -> Double {
        zip(weights, inputs).reduce(0) { $0 + $1.0 * $1.1 }
    }

    package mutating func learn(_ inputs: [Double], _ truth: Double) {
        let count = weights.count
        var direction = [Double](repeating: 0, count: count)
        var scale = forgetting
        for row in 0..<count {
            var sum = 0.0
            for column in 0..<count { sum += inverse[row * count + column] * inputs[column] }
            direction[row] = sum
            scale += inputs[row] * sum
        }
        let error = truth - predict(inputs)
        for row in 0..<count { weights[row] += direction[row] / scale * error }
        for row in 0..<count {
            for column in 0..<count {
                let value = inverse[row * count + column] - direction[row] * direction[column] / scale
                // Bounded, or directions without input would grow for ever.
                inverse[row * count + column] = min(1e6, max(-1e6, value / forgetting))
            }
        }
    }

    func save(to archive: inout ArchiveWriter) {
        archive.put(UInt32(weights.count))
        for value in weights + inverse { archive.put(value) }
    }

    mutating func load(from archive: inout ArchiveReader) throws(ForecastError) {
        let count = Int(try archive.get(UInt32.self))
        try archive.require(count == weights.count, "a regression of \(count) inputs, expected \(weights.count)")
        for index in weights.indices { weights[index] = try archive.get(Double.self) }
        for index in inverse.indices { inverse[index] = try archive.get(Double.self) }
    }
}
