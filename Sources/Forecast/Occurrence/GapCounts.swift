/// How the latest gaps of a unit stand to an idle time k.
struct GapCounts {
    /// Among the last 16: how many there are, how many equal k, how many are k or longer.
    var recent = 0
    var recentEqual = 0
    var recentLonger = 0
    /// Among all that are kept: equal to k, off by one, within 10 %, k or longer.
    var total = 0
    var equal = 0
    var near = 0
    var close = 0
    var longer = 0

    init(_ gaps: [UInt16], base: Int, count: Int, k: Int) {
        total = min(count, UnitHistory.gapsKept)
        recent = min(total, 16)
        let end = base + count
        let idle = UInt16(clamping: k)
        let tenth = UInt16(clamping: k / 10)
        let low = idle - tenth
        let span = 2 * UInt32(tenth)
        gaps.withUnsafeBufferPointer { gaps in
            // unsafe: the bounds are those of the unit's slot; a scan of up to 400 gaps a forecast must be vectorized.
            var equal: UInt16 = 0
            var near: UInt16 = 0
            var close: UInt16 = 0
            var longer: UInt16 = 0
            for index in end - total..<end {
                let gap = gaps[index]
                equal &+= gap == idle ? 1 : 0
                near &+= gap &- idle &+ 1 <= 2 ? 1 : 0
                close &+= UInt32(gap &- low) <= span ? 1 : 0
                longer &+= gap >= idle ? 1 : 0
            }
            self.equal = Int(equal)
            self.near = Int(near) - Int(equal)
            self.close = Int(close)
            self.longer = Int(longer)
            for index in end - recent..<end {
                if gaps[index] == idle { recentEqual += 1 }
                if gaps[index] >= idle { recentLonger += 1 }
            }
        }
    }
}
