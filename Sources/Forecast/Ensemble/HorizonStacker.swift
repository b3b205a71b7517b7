import Glibc

/// Fuses the sources' probabilities of one horizon: online logistic stacking on log-odds, begun at the noisy-or of the
/// sources, then calibration.
///
/// The weights are chosen by which sources speak, since a missing opinion is not a low one.
package struct HorizonStacker: Sendable {
    package typealias Inputs = SIMD8<Float>
    static let sources = 6
    /// Slots behind the sources: the noisy-or of them all, and the bias.
    private static let union = 6
    private static let bias = 7

    private var weights: [Inputs]
    private var squares: [Inputs]
    package private(set) var calibrator = Calibrator()
    private static let rate: Float = 0.02

    package init() {
        var first = Inputs.zero
        first[Self.union] = 1
        weights = [Inputs](repeating: first, count: 1 << Self.sources)
        squares = [Inputs](repeating: Inputs(repeating: 0.5), count: 1 << Self.sources)
    }

    /// The inputs of probabilities by source; nil: the source says nothing.
    package static func inputs(_ probabilities: [Float?]) -> (inputs: Inputs, mask: UInt8) {
        var inputs = Inputs.zero
        var mask: UInt8 = 0
        var none: Float = 1
        for (source, probability) in probabilities.prefix(sources).enumerated() {
            guard let probability else { continue }
            inputs[source] = LogOdds.of(probability)
            none *= 1 - probability
            mask |= 1 << UInt8(source)
        }
        inputs[union] = LogOdds.of(1 - none)
        inputs[bias] = 1
        return (inputs, mask)
    }

    private func score(_ inputs: Inputs, _ mask: UInt8) -> Float {
        min(12, max(-12, (weights[Int(mask)] * inputs).sum()))
    }

    package func probability(_ inputs: Inputs, _ mask: UInt8) -> Float {
        mask == 0 ? 0 : calibrator.probability(score(inputs, mask))
    }

    /// How far each source moves the answer: the change of the probability when its log-odds fall to the lowest, as a
    /// share of all such changes.
    package func shares(_ probabilities: [Float?]) -> [Float] {
        let (inputs, mask) = Self.inputs(probabilities)
        let whole = probability(inputs, mask)
        var shares = [Float](repeating: 0, count: Self.sources)
        for source in 0..<min(Self.sources, probabilities.count) where mask >> UInt8(source) & 1 != 0 {
            var without = probabilities
            without[source] = LogOdds.smallestProbability
            let (other, _) = Self.inputs(without)
            shares[source] = max(0, whole - probability(other, mask))
        }
        let total = shares.reduce(0, +)
        return total > 0 ? shares.map { $0 / total } : shares
    }

    package mutating func learn(_ inputs: Inputs, _ mask: UInt8, hit: Bool) {
        guard mask != 0 else { return }
        let before = score(inputs, mask)
        calibrator.learn(before, hit: hit)
        let gradient = (LogOdds.probability(before) - (hit ? 1 : 0)) * inputs
        squares[Int(mask)] += gradient * gradient
        weights[Int(mask)] -= Self.rate * gradient / squares[Int(mask)].squareRoot()
    }

    package func save(to archive: inout ArchiveWriter) {
        archive.putSparse(weights)
        archive.putSparse(squares)
        calibrator.save(to: &archive)
    }

    package init(from archive: inout ArchiveReader) throws(ForecastError) {
        self.init()
        for index in weights.indices { weights[index] = .zero }
        try archive.getSparse(into: &weights)
        try archive.getSparse(into: &squares)
        let smallest = squares.lazy.map { $0.min() }.min() ?? 0
        try archive.require(smallest > 0, "a sum of squares is not positive")
        calibrator = try Calibrator(from: &archive)
    }
}
