import Glibc

/// A user as `PresenceModel` knows one: when last seen, and which units were called.
struct PresentUser: Sendable {
    /// Units that are remembered of a user.
    static let widest = 12

    var last: Int32 = -1
    /// The unit of the latest call, and how often in a row it was called.
    var unit: UInt32 = 0
    var run: Int32 = 0
    var calls: Int32 = 0
    private(set) var knownCount: UInt8 = 0
    /// Units called, the one called last at the end, and how often each.
    private(set) var known = InlineArray<12, UInt32>(repeating: 0)
    private(set) var counts = InlineArray<12, UInt16>(repeating: 0)

    func knows(_ unit: UInt32) -> Bool {
        for index in 0..<Int(knownCount) where known[index] == unit { return true }
        return false
    }

    mutating func called(_ unit: UInt32, minute: Int) {
        run = calls > 0 && unit == self.unit ? run &+ 1 : 1
        self.unit = unit
        calls &+= 1
        last = Int32(truncatingIfNeeded: minute)
        var count: UInt16 = 0
        if let at = (0..<Int(knownCount)).first(where: { known[$0] == unit }) {
            count = counts[at]
            remove(at)
        } else if knownCount == UInt8(Self.widest) {
            remove(0)
        }
        known[Int(knownCount)] = unit
        counts[Int(knownCount)] = count == .max ? count : count + 1
        knownCount += 1
    }

    mutating func forget(_ unit: UInt32) {
        if let at = (0..<Int(knownCount)).first(where: { known[$0] == unit }) { remove(at) }
    }

    private mutating func remove(_ at: Int) {
        for index in at + 1..<max(at + 1, Int(knownCount)) {
            known[index - 1] = known[index]
            counts[index - 1] = counts[index]
        }
        knownCount -= 1
    }

    func save(to archive: inout ArchiveWriter) {
        for value in [last, Int32(bitPattern: unit), run, calls] { archive.put(value) }
        archive.put(knownCount)
        for index in 0..<Int(knownCount) {
            archive.put(known[index])
            archive.put(counts[index])
        }
    }

    init() {}

    init(from archive: inout ArchiveReader) throws(ForecastError) {
        last = try archive.get(Int32.self)
        unit = UInt32(bitPattern: try archive.get(Int32.self))
        run = try archive.get(Int32.self)
        calls = try archive.get(Int32.self)
        knownCount = try archive.get(UInt8.self)
        try archive.require(Int(knownCount) <= Self.widest && calls >= 0 && run >= 0 && last >= 0, "a user's figures")
        for index in 0..<Int(knownCount) {
            known[index] = try archive.getNumber()
            counts[index] = try archive.get(UInt16.self)
        }
    }
}
