extension OccurrenceModel {
    /// What was learned over all units, without any unit's own: what a node begins with.
    package func prior() -> [UInt8] {
        var archive = ArchiveWriter(kind: .prior)
        savePrior(to: &archive)
        var common = refinement
        common.clearUnits()
        common.save(to: &archive)
        return archive.finish()
    }

    /// A model without units that begins with a prior that `prior()` returned.
    package init(prior: [UInt8]) throws(ForecastError) {
        var archive = try ArchiveReader(prior, kind: .prior)
        self.init()
        try loadPrior(from: &archive)
        try refinement.load(from: &archive)
        try archive.finish()
    }

    func savePrior(to archive: inout ArchiveWriter) {
        for table in OccurrenceTables.shared { archive.putSparse(tables[keyPath: table].cells) }
        mixer.save(to: &archive)
    }

    mutating func loadPrior(from archive: inout ArchiveReader) throws(ForecastError) {
        for table in OccurrenceTables.shared { try archive.getSparse(into: &tables[keyPath: table].cells) }
        try mixer.load(from: &archive)
    }

    package func save(to archive: inout ArchiveWriter) {
        savePrior(to: &archive)
        archive.put(UInt32(units.count))
        archive.put(freeSlots)
        for value in [Int64(busyness.minute)] { archive.put(value) }
        for value in [busyness.active, busyness.short, busyness.long] { archive.put(value) }
        archive.put(UInt8(busyness.level))
        for index in units.indices where units[index].lastActive >= 0 {
            archive.put(UInt32(index))
            units[index].save(to: &archive)
            history.save(index, gaps: Int(units[index].gapCount), to: &archive)
            tables.week.save(index, to: &archive)
        }
        archive.put(UInt32.max)
        archive.putSparse(tables.own.cells)
        refinement.save(to: &archive)
        presence.save(to: &archive)
    }

    package init(from archive: inout ArchiveReader) throws(ForecastError) {
        self.init()
        try loadPrior(from: &archive)
        let count = Int(try archive.get(UInt32.self))
        try archive.require(count <= 1 << 20, "it tells \(count) units")
        freeSlots = try archive.get([UInt32].self)
        try archive.require(freeSlots.allSatisfy { Int($0) < count }, "a free slot lies outside")
        try archive.require(Set(freeSlots).count == freeSlots.count, "a slot is free twice")
        busyness.minute = Int(try archive.get(Int64.self))
        busyness.active = try archive.get(Float.self)
        busyness.short = try archive.get(Float.self)
        busyness.long = try archive.get(Float.self)
        busyness.level = Int(try archive.get(UInt8.self)) & 7
        for _ in 0..<count {
            units.append(UnitState())
            history.addUnit()
            tables.addUnit()
        }
        while case let index = try archive.get(UInt32.self), index != .max {
            try archive.require(Int(index) < count, "unit \(index) lies outside")
            units[Int(index)] = try UnitState(from: &archive)
            try history.load(Int(index), gaps: Int(units[Int(index)].gapCount), from: &archive)
            try tables.week.load(Int(index), from: &archive)
        }
        try archive.getSparse(into: &tables.own.cells)
        try refinement.load(from: &archive)
        try presence.load(from: &archive)
    }
}

extension OccurrenceTables {
    /// The tables that all units share, in the order of the file.
    static var shared: [WritableKeyPath<OccurrenceTables, CountTable>] {
        [
            \.idle, \.rate, \.rank, \.evidence, \.relation, \.activity, \.period, \.match, \.vote, \.hour, \.level,
            \.caller, \.callerRate,
        ]
    }

    static let sharedCells: Int = {
        let empty = OccurrenceTables()
        return shared.reduce(0) { $0 + empty[keyPath: $1].cells.count }
    }()
}

extension UnitState {
    func save(to archive: inout ArchiveWriter) {
        for value in [firstActive, lastActive, lastMinute, onsets, gapsSeen] { archive.put(value) }
        archive.put(meanGap)
        for value in [gapCount, period, UInt16(match.length), UInt16(clamping: match.gap)] { archive.put(value) }
    }

    init(from archive: inout ArchiveReader) throws(ForecastError) {
        firstActive = try archive.get(Int32.self)
        lastActive = try archive.get(Int32.self)
        lastMinute = try archive.get(Int32.self)
        onsets = try archive.get(Int32.self)
        gapsSeen = try archive.get(Int32.self)
        meanGap = try archive.get(Float.self)
        gapCount = try archive.get(UInt16.self)
        period = try archive.get(UInt16.self)
        match.length = Int(try archive.get(UInt16.self))
        match.gap = Int(try archive.get(UInt16.self))
        try archive.require(
            gapCount <= UnitHistory.gapsStored && period <= UnitHistory.longestPeriod && match.length <= 8
                && firstActive >= 0 && lastActive >= firstActive && lastMinute >= lastActive && onsets >= 0
                && gapsSeen >= 0 && meanGap >= 0,
            "a unit's figures are outside their ranges")
    }
}

extension StackingMixer {
    var memoryBytes: Int { weights.count * 128 + lastWeights.count * 64 }

    func save(to archive: inout ArchiveWriter) {
        archive.putSparse(weights, empty: first)
        archive.putSparse(squares, empty: Inputs(repeating: Self.firstSquare))
        archive.putSparse(lastWeights, empty: lastFirst)
        archive.putSparse(lastSquares, empty: SIMD8(repeating: Self.firstSquare))
    }

    mutating func load(from archive: inout ArchiveReader) throws(ForecastError) {
        try archive.getSparse(into: &weights)
        try archive.getSparse(into: &squares)
        try archive.getSparse(into: &lastWeights)
        try archive.getSparse(into: &lastSquares)
        let smallest = squares.lazy.map { $0.min() }.min() ?? 1
        let lastSmallest = lastSquares.lazy.map { $0.min() }.min() ?? 1
        try archive.require(min(smallest, lastSmallest) > 0, "a sum of squares is not positive")
    }
}
