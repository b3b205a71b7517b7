import Glibc

/// Stacks the sources' opinions of each candidate to one distribution: a softmax over candidates of weighted
/// features, online by AdaGrad on the log-loss. With one candidate against one other this is logistic stacking on
/// log-odds. The weights are the sum of a general vector and one chosen by a context.
package struct CandidateStacker: Sendable {
    package typealias Features = SIMD16<Float>
    private var weights: [Features]
    private var squares: [Features]
    package var rate: Float
    package var contexts: Int { weights.count - 1 }

    /// `first` is what the general weights begin with.
    package init(first: Features, contexts: Int, rate: Float = 0.05) {
        weights = [Features](repeating: .zero, count: contexts + 1)
        weights[0] = first
        squares = [Features](repeating: Features(repeating: 1), count: contexts + 1)
        self.rate = rate
    }

    package func probabilities(_ candidates: [Features], context: Int) -> [Float] {
        let vector = weights[0] + weights[context + 1]
        var scores = candidates.map { ($0 * vector).sum() }
        let largest = scores.max() ?? 0
        var total: Float = 0
        for index in scores.indices {
            scores[index] = expf(scores[index] - largest)
            total += scores[index]
        }
        for index in scores.indices { scores[index] /= total }
        return scores
    }

    /// Learns that candidate `truth` came, after `probabilities` were said.
    package mutating func learn(_ candidates: [Features], context: Int, probabilities: [Float], truth: Int) {
        var gradient = -candidates[truth]
        for index in candidates.indices { gradient += probabilities[index] * candidates[index] }
        for index in [0, context + 1] {
            squares[index] += gradient * gradient
            weights[index] -= rate * gradient / squares[index].squareRoot()
        }
    }

    /// The weight of each feature in `context`.
    package func weight(context: Int) -> Features { weights[0] + weights[context + 1] }

    package func save(to archive: inout ArchiveWriter) {
        archive.put(rate)
        archive.put(UInt32(weights.count))
        archive.putSparse(weights)
        archive.putSparse(squares)
    }

    package init(from archive: inout ArchiveReader) throws(ForecastError) {
        rate = try archive.get(Float.self)
        let count = Int(try archive.get(UInt32.self))
        try archive.require(count > 1 && count <= 1 << 16, "\(count) weight vectors")
        weights = [Features](repeating: .zero, count: count)
        squares = weights
        try archive.getSparse(into: &weights)
        try archive.getSparse(into: &squares)
        let smallest = squares.lazy.map { $0.min() }.min() ?? 0
        try archive.require(smallest > 0, "a sum of squares is not positive")
    }
}
