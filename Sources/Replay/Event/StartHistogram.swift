/// Latencies in 32 buckets an octave: quantiles within 2.2 %, in fixed memory.
package struct StartHistogram: Sendable {
    private var counts = [Int](repeating: 0, count: 64 * 32)
    package private(set) var count = 0
    private var sum = 0.0

    package init() {}

    package mutating func add(_ microseconds: Int64) {
        let value = max(0, microseconds)
        counts[Self.bucket(value)] += 1
        count += 1
        sum += Double(value)
    }

    package var mean: Double { sum / Double(max(1, count)) }

    /// The smallest bucket value with at least `quantile` of all below or at it, microseconds.
    package func quantile(_ quantile: Double) -> Double {
        let wanted = max(1, Int((quantile * Double(count)).rounded(.up)))
        var seen = 0
        for (bucket, number) in counts.enumerated() where number > 0 {
            seen += number
            if seen >= wanted { return Self.value(bucket) }
        }
        return 0
    }

    private static func bucket(_ value: Int64) -> Int {
        guard value >= 32 else { return Int(value) }
        let octave = 63 - value.leadingZeroBitCount
        return min(64 * 32 - 1, (octave - 4) * 32 + Int((value >> (octave - 5)) & 31))
    }

    private static func value(_ bucket: Int) -> Double {
        guard bucket >= 32 else { return Double(bucket) }
        let octave = bucket / 32 + 4
        return Double((32 + bucket % 32) << (octave - 5)) + Double((1 << (octave - 5)) - 1) / 2
    }
}
