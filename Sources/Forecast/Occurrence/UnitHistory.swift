/// What a unit's past is kept as, for all units: gaps, activity bits, onsets and the period counts.
///
/// Everything has a fixed size a unit, about 3 KB; slots are reused.
struct UnitHistory: Sendable {
    /// Gaps that are looked at.
    static let gapsKept = 400
    /// Gaps that are stored before the oldest are dropped in one move.
    static let gapsStored = 512
    /// Minutes of activity bits; twice the longest period and a word.
    static let bitsKept = 1536
    static let words = bitsKept / 64
    static let longestPeriod = 720
    static let shortestPeriod = 3

    private(set) var gaps: [UInt16] = []
    private var bits: [UInt64] = []
    private var onsets: [UInt64] = []
    private var periodCounts: [UInt16] = []

    mutating func addUnit() {
        gaps.append(contentsOf: repeatElement(0, count: Self.gapsStored))
        bits.append(contentsOf: repeatElement(0, count: Self.words))
        onsets.append(contentsOf: repeatElement(0, count: Self.words))
        periodCounts.append(contentsOf: repeatElement(0, count: Self.longestPeriod + 1))
    }

    /// Moves a unit's past to another's place.
    mutating func move(_ unit: Int, to other: Int) {
        func move<Value>(_ values: inout [Value], _ width: Int) {
            for offset in 0..<width { values[other * width + offset] = values[unit * width + offset] }
        }
        move(&gaps, Self.gapsStored)
        move(&bits, Self.words)
        move(&onsets, Self.words)
        move(&periodCounts, Self.longestPeriod + 1)
    }

    /// Keeps the first `units`.
    mutating func truncate(to units: Int) {
        gaps = Array(gaps.prefix(units * Self.gapsStored))
        bits = Array(bits.prefix(units * Self.words))
        onsets = Array(onsets.prefix(units * Self.words))
        periodCounts = Array(periodCounts.prefix(units * (Self.longestPeriod + 1)))
    }

    mutating func clear(_ unit: Int) {
        for index in unit * Self.gapsStored..<(unit + 1) * Self.gapsStored { gaps[index] = 0 }
        for index in unit * Self.words..<(unit + 1) * Self.words {
            bits[index] = 0
            onsets[index] = 0
        }
        let width = Self.longestPeriod + 1
        for index in unit * width..<(unit + 1) * width { periodCounts[index] = 0 }
    }

    /// Whether the unit was active in `minute`; it must lie less than `bitsKept` minutes back.
    @inline(__always)
    func wasActive(_ unit: Int, _ minute: Int) -> Bool {
        guard minute >= 0 else { return false }
        let slot = minute % Self.bitsKept
        return bits[unit * Self.words + slot >> 6] >> UInt64(slot & 63) & 1 != 0
    }

    /// Takes in one minute; each minute once, in order.
    @inline(__always)
    mutating func setActive(_ unit: Int, _ minute: Int, _ active: Bool, onset: Bool) {
        let slot = minute % Self.bitsKept
        let index = unit * Self.words + slot >> 6
        let mask: UInt64 = 1 << UInt64(slot & 63)
        if active { bits[index] |= mask } else { bits[index] &= ~mask }
        if onset { onsets[index] |= mask } else { onsets[index] &= ~mask }
    }

    /// Forgets the bits of minutes nobody told of.
    mutating func skip(_ unit: Int, _ minutes: Range<Int>) {
        if minutes.count >= Self.bitsKept {
            for index in unit * Self.words..<(unit + 1) * Self.words {
                bits[index] = 0
                onsets[index] = 0
            }
        } else {
            for minute in minutes { setActive(unit, minute, false, onset: false) }
        }
    }

    mutating func appendGap(_ unit: Int, _ gap: Int, count: inout Int) {
        let base = unit * Self.gapsStored
        if count == Self.gapsStored {
            let dropped = Self.gapsStored - Self.gapsKept
            for index in 0..<Self.gapsKept { gaps[base + index] = gaps[base + index + dropped] }
            count = Self.gapsKept
        }
        gaps[base + count] = UInt16(clamping: gap)
        count += 1
    }

    /// Counts the distances from an onset at `minute` to the earlier ones, and returns the commonest distance so far.
    mutating func countPeriods(_ unit: Int, _ minute: Int, best: Int) -> Int {
        let base = unit * (Self.longestPeriod + 1)
        var best = best
        let wordBase = unit * Self.words
        let first = max(0, minute - Self.longestPeriod)
        var at = minute - Self.shortestPeriod
        while at >= first {
            let slot = at % Self.bitsKept
            let shift = slot & 63
            // Bits of this word at and below `slot`, the newest at the top.
            var word = onsets[wordBase + slot >> 6] << UInt64(63 - shift)
            var newest = at
            while word != 0 {
                let zeros = word.leadingZeroBitCount
                newest -= zeros
                guard newest >= first else { break }
                let distance = minute - newest
                let index = base + distance
                if periodCounts[index] < UInt16.max { periodCounts[index] += 1 }
                let lead = periodCounts[index]
                let record = periodCounts[base + best]
                if best == 0 || lead > record || (lead == record && distance < best) { best = distance }
                word <<= UInt64(zeros)
                word <<= 1
                newest -= 1
            }
            at -= shift + 1
        }
        return best
    }

    @inline(__always)
    func periodCount(_ unit: Int, _ distance: Int) -> Int {
        Int(periodCounts[unit * (Self.longestPeriod + 1) + distance])
    }

    /// The commonest distance among those at which an onset lies before `minute` (first), and before the minutes on
    /// both sides of it (second), as counts of that distance.
    func periodVotes(_ unit: Int, _ minute: Int, k: Int) -> (here: Int, beside: Int) {
        let base = unit * (Self.longestPeriod + 1)
        let wordBase = unit * Self.words
        let first = max(0, minute - Self.longestPeriod + 1)
        var here: UInt16 = 0
        var beside: UInt16 = 0
        var at = minute - max(k, Self.shortestPeriod)
        while at >= first {
            let slot = at % Self.bitsKept
            let shift = slot & 63
            var word = onsets[wordBase + slot >> 6] << UInt64(63 - shift)
            var newest = at
            while word != 0 {
                let zeros = word.leadingZeroBitCount
                newest -= zeros
                guard newest >= first else { break }
                let index = base + minute - newest
                here = max(here, periodCounts[index])
                beside = max(beside, periodCounts[index - 1], periodCounts[index + 1])
                word <<= UInt64(zeros)
                word <<= 1
                newest -= 1
            }
            at -= shift + 1
        }
        return (Int(here), Int(beside))
    }

    static let bytesPerUnit = 2 * gapsStored + 16 * words + 2 * (longestPeriod + 1)

    func save(_ unit: Int, gaps count: Int, to archive: inout ArchiveWriter) {
        for gap in gaps[unit * Self.gapsStored..<unit * Self.gapsStored + count] { archive.put(gap) }
        for index in unit * Self.words..<(unit + 1) * Self.words {
            archive.put(bits[index])
            archive.put(onsets[index])
        }
        let width = Self.longestPeriod + 1
        for index in unit * width..<(unit + 1) * width { archive.put(periodCounts[index]) }
    }

    mutating func load(_ unit: Int, gaps count: Int, from archive: inout ArchiveReader) throws(ForecastError) {
        for index in unit * Self.gapsStored..<unit * Self.gapsStored + count {
            gaps[index] = try archive.get(UInt16.self)
        }
        for index in unit * Self.words..<(unit + 1) * Self.words {
            bits[index] = try archive.get(UInt64.self)
            onsets[index] = try archive.get(UInt64.self)
        }
        let width = Self.longestPeriod + 1
        for index in unit * width..<(unit + 1) * width { periodCounts[index] = try archive.get(UInt16.self) }
    }
}
