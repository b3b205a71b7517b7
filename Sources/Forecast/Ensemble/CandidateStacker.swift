import Glibc

/// Stacks the sources' opinions of each candidate to one distribution: a softmax over candidates of weighted
/// features, online by AdaGrad on the log-loss. With one candidate against one other this is logistic stacking on
/// log-odds. The weights are the sum of a general vector and one of each set, chosen by the set's context.
package struct CandidateStacker: Sendable {
    package typealias Features = SIMD16<Float>
    /// A context of each set.
    package typealias Contexts = SIMD4<Int32>

    private var weights: [Features]
    private var squares: [Features]
    /// Contexts of each set, at most four.
    package let sets: [Int]
    private let offsets: [Int]
    package var rate: Float

    /// `first` is what the general weights begin with.
    package init(first: Features, sets: [Int], rate: Float = 0.05) {
        self.sets = Array(sets.prefix(4))
        var offsets: [Int] = []
        var total = 1
        for count in self.sets {
            offsets.append(total)
            total += count
        }
        self.offsets = offsets
        weights = [Features](repeating: .zero, count: total)
        weights[0] = first
        squares = [Features](repeating: Features(repeating: 1), count: total)
        self.rate = rate
    }

    /// The weight of each feature in `contexts`.
    package func weight(_ contexts: Contexts) -> Features {
        var vector = weights[0]
        for set in offsets.indices { vector += weights[offsets[set] + Int(contexts[set])] }
        return vector
    }

    package func probabilities(_ candidates: [Features], _ contexts: Contexts) -> [Float] {
        let vector = weight(contexts)
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
    package mutating func learn(
        _ candidates: [Features], _ contexts: Contexts, probabilities: [Float], truth: Int
    ) {
        var gradient = -candidates[truth]
        for index in candidates.indices { gradient += probabilities[index] * candidates[index] }
        step(0, gradient)
        for set in offsets.indices { step(offsets[set] + Int(contexts[set]), gradient) }
    }

    private mutating func step(_ index: Int, _ gradient: Features) {
        squares[index] += gradient * gradient
        weights[index] -= rate * gradient / squares[index].squareRoot()
    }

    package var memoryBytes: Int { 2 * weights.count * MemoryLayout<Features>.stride }

    package func save(to archive: inout ArchiveWriter) {
        archive.put(rate)
        archive.put(sets.map { UInt32($0) })
        archive.putSparse(weights)
        archive.putSparse(squares, empty: Features(repeating: 1))
    }

    package init(from archive: inout ArchiveReader) throws(ForecastError) {
        let rate = try archive.get(Float.self)
        let sets = try archive.get([UInt32].self).map { Int($0) }
        let total = sets.reduce(0, +)
        try archive.require(
            sets.count <= 4 && sets.allSatisfy { $0 > 0 } && total <= 1 << 16, "\(total) weight vectors")
        self.init(first: .zero, sets: sets, rate: rate)
        try archive.getSparse(into: &weights)
        try archive.getSparse(into: &squares)
        let smallest = squares.lazy.map { $0.min() }.min() ?? 0
        try archive.require(smallest > 0, "a sum of squares is not positive")
    }
}
