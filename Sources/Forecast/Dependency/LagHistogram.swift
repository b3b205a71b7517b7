import Glibc

/// How long it took until something followed: counts in sixteen classes, one an octave from 1/32 s to 1024 s and more.
package struct LagHistogram: Sendable, Equatable {
    var counts = SIMD16<Float>.zero
    private static let offset: Float = 5

    package init() {}

    package var total: Float { counts.sum() }

    package mutating func add(_ seconds: Float, weight: Float = 1) {
        let bin = seconds <= 0 ? 0 : Int(max(0, min(15, log2f(seconds) + Self.offset)))
        counts[bin] += weight
    }

    mutating func scale(_ factor: Float) { counts *= factor }

    /// Counts up to `seconds`, linear in the logarithm within a class.
    package func below(_ seconds: Float) -> Float {
        guard seconds > 0 else { return 0 }
        let place = log2f(seconds) + Self.offset
        guard place > 0 else { return counts[0] * exp2f(place - 1) }
        var sum: Float = 0
        for bin in 0..<16 {
            let over = place - Float(bin)
            if over <= 0 { break }
            // The last class has no end: what lies there may come at any time within eight octaves.
            sum += counts[bin] * min(1, bin == 15 ? over / 8 : over)
        }
        return sum
    }

    /// The lag in seconds that `share` of the counts do not exceed.
    package func quantile(_ share: Float) -> Float {
        let wanted = share * total
        var sum: Float = 0
        for bin in 0..<16 {
            if counts[bin] > 0 && sum + counts[bin] >= wanted {
                return exp2f(Float(bin) - Self.offset + (wanted - sum) / counts[bin])
            }
            sum += counts[bin]
        }
        return exp2f(16 - Self.offset)
    }
}
