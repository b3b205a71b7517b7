import Glibc

/// Natural log-odds, the scale on which sources are combined.
package enum LogOdds {
    /// Probabilities are kept inside this range before their log-odds are taken.
    package static let smallestProbability: Float = 2e-5
    package static let largestProbability: Float = 1 - 1e-4

    @inline(__always)
    package static func of(_ probability: Float) -> Float {
        let p = min(max(probability, smallestProbability), largestProbability)
        return logf(p / (1 - p))
    }

    @inline(__always)
    package static func probability(_ logOdds: Float) -> Float { 1 / (1 + expf(-logOdds)) }
}
