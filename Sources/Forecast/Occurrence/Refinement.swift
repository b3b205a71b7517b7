/// Corrects a mixed forecast by what became of earlier ones like it, in several contexts of which the mixer knows nothing:
/// the adaptive probability maps ("secondary symbol estimation") of Mahoney's PAQ (Florida Tech TR CS-2005-16).
///
/// Each map holds, for each of its contexts, hit frequencies at 33 points of the log-odds scale, and reads between two
/// points; all start as the identity. The result is the mixed log-odds and the maps' mean, weighed.
struct Refinement: Sendable {
    static let points = 33
    /// Trials that the identity counts for at each point.
    static let strength: Float = 10
    /// The maps' share of the result.
    static let share: Float = 0.85
    /// Trials after which a cell forgets.
    private static let cap: Float = 20_000
    /// Contexts of each map: idle time and experience; idle time and rate; ranks; period votes; the unit; who is about,
    /// and the hour.
    static let contexts = [
        IdleBins.kc * 6, IdleBins.kc * IdleBins.rates, OccurrenceContext.ranks,
        OccurrenceContext.votes * OccurrenceContext.votes, OccurrenceMixer.unitSets, PresenceModel.bins * 24,
    ]
    private static let offsets = contexts.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1) }
    private static let unitMap = 4

    private(set) var cells: [CountCell]
    /// The identity's probability at each point.
    private static let identity: [Float] = (0..<points).map { LogOdds.probability(Float($0 - 16) * 0.5) }

    init() {
        cells = [CountCell](repeating: .zero, count: Self.offsets[Self.contexts.count] * Self.points)
    }

    /// Where a forecast was read: the lower of the two points in each map, and how far above it.
    struct Place: Sendable {
        var cells = SIMD8<Int32>.zero
        var fraction: Float = 0
    }

    /// The place of `logOdds`, given a context a map.
    func place(_ logOdds: Float, _ contexts: SIMD8<Int32>) -> Place {
        let position = max(0, min(Float(Self.points) - 1.01, (logOdds + 8) * 2))
        let point = Int32(position)
        var place = Place(fraction: position - Float(point))
        for map in Self.contexts.indices {
            place.cells[map] = (Int32(Self.offsets[map]) + contexts[map]) * Int32(Self.points) + point
        }
        return place
    }

    func refine(_ logOdds: Float, _ place: Place) -> Float {
        let point = Int(place.cells[0]) % Self.points
        var sum: Float = 0
        for map in Self.contexts.indices {
            let low = Int(place.cells[map])
            sum +=
                (1 - place.fraction) * LogOdds.of(frequency(low, Self.identity[point]))
                + place.fraction * LogOdds.of(frequency(low + 1, Self.identity[point + 1]))
        }
        return (1 - Self.share) * logOdds + Self.share * sum / Float(Self.contexts.count)
    }

    private func frequency(_ cell: Int, _ identity: Float) -> Float {
        (cells[cell].y + Self.strength * identity) / (cells[cell].x + Self.strength)
    }

    mutating func learn(_ place: Place, _ hit: Float) {
        for map in Self.contexts.indices {
            let low = Int(place.cells[map])
            add(low, 1 - place.fraction, hit)
            add(low + 1, place.fraction, hit)
        }
    }

    private mutating func add(_ index: Int, _ weight: Float, _ hit: Float) {
        var cell = cells[index] + CountCell(weight, weight * hit)
        if cell.x >= Self.cap { cell *= 1 - 1 / Self.cap }
        cells[index] = cell
    }

    /// A slot has got a new unit: what its map learned was another's.
    mutating func clear(unit: Int) {
        let first = (Self.offsets[Self.unitMap] + unit % OccurrenceMixer.unitSets) * Self.points
        for index in first..<first + Self.points { cells[index] = .zero }
    }

    /// A unit has moved to another slot.
    mutating func move(unit: Int, to other: Int) {
        let from = (Self.offsets[Self.unitMap] + unit % OccurrenceMixer.unitSets) * Self.points
        let to = (Self.offsets[Self.unitMap] + other % OccurrenceMixer.unitSets) * Self.points
        for point in 0..<Self.points { cells[to + point] = cells[from + point] }
    }

    var memoryBytes: Int { cells.count * MemoryLayout<CountCell>.stride }

    func save(to archive: inout ArchiveWriter) { archive.putSparse(cells) }

    mutating func load(from archive: inout ArchiveReader) throws(ForecastError) {
        try archive.getSparse(into: &cells)
        try archive.require(
            cells.allSatisfy { $0.x >= 0 && $0.y >= 0 && $0.y <= $0.x * 1.001 }, "a map has more hits than trials")
    }

    /// Forgets what single units taught: what is left holds for all.
    mutating func clearUnits() {
        for unit in 0..<OccurrenceMixer.unitSets { clear(unit: unit) }
    }
}
