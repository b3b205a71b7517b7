import WarmPool

/// A small seeded generator (SplitMix64, Steele et al. 2014), so that a failing sequence can be run again.
struct SplitMix: RandomNumberGenerator {
    private var state: UInt64
    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }

    mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }
    mutating func chance(_ percent: Int) -> Bool { below(100) < percent }
    mutating func unit() -> Double { Double(next() >> 11) / 9_007_199_254_740_992 }
    /// Skewed to small values, up to `most`.
    mutating func time(upTo most: Nanoseconds) -> Nanoseconds {
        let u = unit()
        return Nanoseconds(rounding: u * u * Double(most.value))
    }
}
