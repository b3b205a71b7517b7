/// The gap that followed an earlier stretch of gaps like the latest ones.
struct GapMatch: Sendable {
    /// How many gaps match, up to 8; 0: none does.
    var length = 0
    /// The gap that came next then, in minutes.
    var gap = 0

    init() {}

    /// The longest match among those that were followed by a gap of at least `k`, the latest of equals.
    init(_ gaps: [UInt16], base: Int, count: Int, atLeast k: Int) {
        let first = base + count - min(count, UnitHistory.gapsKept)
        let end = base + count
        let idle = UInt16(clamping: k)
        gaps.withUnsafeBufferPointer { gaps in
            // unsafe: the bounds are those of the unit's slot; up to 400 comparisons at every activity.
            var at = end - 1
            while at > first {
                if gaps[at] >= idle {
                    var matched = 0
                    while matched < 8 && at - 1 - matched >= first
                        && gaps[at - 1 - matched] == gaps[end - 1 - matched]
                    {
                        matched += 1
                    }
                    if matched > length {
                        length = matched
                        gap = Int(gaps[at])
                        if matched == 8 { break }
                    }
                }
                at -= 1
            }
        }
    }
}
