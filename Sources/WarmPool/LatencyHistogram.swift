/// Counts of durations in log-linear buckets, eight to the octave: quantiles within 6 %.
package struct LatencyHistogram: Sendable {
    private var buckets: [UInt32]
    private(set) package var count = 0

    package init() { buckets = Array(repeating: 0, count: 64 * 8) }

    private static func bucket(_ nanoseconds: UInt64) -> Int {
        guard nanoseconds >= 8 else { return Int(nanoseconds) }
        let octave = 63 - nanoseconds.leadingZeroBitCount
        return (octave - 2) * 8 + Int((nanoseconds >> UInt64(octave - 3)) & 7)
    }

    /// The middle of a bucket.
    private static func value(_ bucket: Int) -> UInt64 {
        guard bucket >= 8 else { return UInt64(bucket) }
        let octave = bucket / 8 + 2
        let width = UInt64(1) << UInt64(octave - 3)
        return UInt64(8 + bucket % 8) * width + width / 2
    }

    package mutating func add(_ time: Nanoseconds) {
        buckets[Self.bucket(UInt64(max(time.value, 0)))] &+= 1
        count += 1
    }

    package mutating func reset() {
        for bucket in buckets.indices { buckets[bucket] = 0 }
        count = 0
    }

    /// Zero without samples.
    package func quantile(_ share: Double) -> Nanoseconds {
        // Rounded up without `rounded`, which would need the C mathematics library.
        var rest = count - Int(Double(count) * (1 - min(max(share, 0), 1)))
        for (bucket, number) in buckets.enumerated() {
            rest -= Int(number)
            if rest <= 0 { return Nanoseconds(Int64(clamping: Self.value(bucket))) }
        }
        return .zero
    }
}
