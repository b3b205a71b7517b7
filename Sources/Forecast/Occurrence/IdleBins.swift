import Glibc

/// The classes that idle times and gaps fall into. `k` is the distance in minutes from the last active minute to the
/// minute that is forecast, so a gap of g minutes ends exactly where k = g; k >= 1.
enum IdleBins {
    static let kl = 48
    static let kc = 11
    static let relations = 13
    /// Classes of the mean gap.
    static let rates = 20
    static let noRelation = 12
    private static let tabled = 4096

    /// One class a minute to 6, then four an octave.
    @inline(__always)
    static func fine(_ k: Int) -> Int { Int(fineTable[min(k, tabled - 1)]) }
    /// Edges 1, 2, 3, 5, 10, 20, 40, 80, 240, 720.
    @inline(__always)
    static func coarse(_ k: Int) -> Int { Int(coarseTable[min(k, tabled - 1)]) }
    /// floor(log2 value), 0 for 0, at most 15.
    @inline(__always)
    static func octave(_ value: Int) -> Int { value < 1 ? 0 : min(15, Int.bitWidth - 1 - value.leadingZeroBitCount) }

    private static let fineTable: [UInt8] = (0..<tabled).map { k in
        k <= 6 ? UInt8(max(0, k - 1)) : UInt8(min(kl - 1, 6 + Int(4 * log2(Double(k) / 7))))
    }
    private static let coarseTable: [UInt8] = (0..<tabled).map { k in
        UInt8([1, 2, 3, 5, 10, 20, 40, 80, 240, 720].count { k > $0 })
    }

    /// Classes of the number of gaps seen: 0, 1, 2, 3-4, 5-12, 13 and more.
    @inline(__always)
    static func experience(_ gaps: Int) -> Int {
        gaps < 3 ? gaps : gaps < 5 ? 3 : gaps < 13 ? 4 : 5
    }

    /// Where k stands to a gap seen before: the signed difference up to 2 minutes, else one of seven classes of
    /// their ratio; `noRelation` without such a gap.
    @inline(__always)
    static func relation(_ k: Int, _ gap: Int) -> Int {
        guard gap > 0 else { return noRelation }
        let difference = k - gap
        if difference.magnitude <= 2 { return difference + 2 }
        if difference < 0 {
            return 4 * k < gap ? 5 : 2 * k < gap ? 6 : 5 * k < 4 * gap ? 7 : 8
        }
        return 4 * k <= 5 * gap ? 9 : k <= 2 * gap ? 10 : 11
    }
}
