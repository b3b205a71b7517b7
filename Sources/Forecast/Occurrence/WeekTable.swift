/// How often each unit was active in the minutes of each hour of the week: trials and hits, a byte each, since there are 168
/// cells a unit. At 120 trials, two weeks, both are halved.
struct WeekTable: Sendable {
    static let hours = 168
    private static let cap: UInt8 = 120
    private(set) var cells = Blocks<SIMD2<UInt8>>()

    /// `strength` is how many trials the parent's estimate counts for.
    @inline(__always)
    func estimate(_ index: Int, parent: Float, strength: Float) -> Float {
        let cell = cells[index]
        return (Float(cell.y) + strength * parent) / (Float(cell.x) + strength)
    }

    @inline(__always)
    mutating func learn(_ index: Int32, _ hit: Bool) {
        var cell = cells[Int(index)]
        if cell.x >= Self.cap { cell &>>= 1 }
        cells[Int(index)] = cell &+ SIMD2(1, hit ? 1 : 0)
    }

    mutating func addUnit() { cells.append(repeating: .zero, count: Self.hours) }

    mutating func clear(_ unit: Int) {
        for index in unit * Self.hours..<(unit + 1) * Self.hours { cells[index] = .zero }
    }

    mutating func move(_ unit: Int, to other: Int) {
        for hour in 0..<Self.hours { cells[other * Self.hours + hour] = cells[unit * Self.hours + hour] }
    }

    mutating func truncate(to units: Int) { cells.truncate(to: units * Self.hours) }

    static let bytesPerUnit = 2 * hours

    func save(_ unit: Int, to archive: inout ArchiveWriter) {
        for index in unit * Self.hours..<(unit + 1) * Self.hours {
            archive.put(cells[index].x)
            archive.put(cells[index].y)
        }
    }

    mutating func load(_ unit: Int, from archive: inout ArchiveReader) throws(ForecastError) {
        for index in unit * Self.hours..<(unit + 1) * Self.hours {
            let cell = SIMD2(try archive.get(UInt8.self), try archive.get(UInt8.self))
            try archive.require(cell.y <= cell.x && cell.x <= Self.cap, "an hour has more hits than trials")
            cells[index] = cell
        }
    }
}
