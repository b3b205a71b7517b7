/// What became of the prefetches that forecasts led to, by who had said so: corrects what is said next.
///
/// A value beside the engine: the engine learns from all that happens, this only from what was acted upon.
package struct OutcomeCalibration: Sendable {
    private var calibrators: [Calibrator]
    /// Prefetches used, started too late, and never used, of each source.
    package private(set) var hits: [UInt64]
    package private(set) var late: [UInt64]
    package private(set) var wasted: [UInt64]
    /// Nanoseconds by which everything is begun earlier, because it came too late before.
    package private(set) var advance: Int64 = 0

    private static let lateStep: Int64 = 50_000_000
    private static let hitStep: Int64 = 1_000_000
    private static let longestAdvance: Int64 = 1_000_000_000

    package enum Outcome: Sendable {
        case hit, late, wasted
    }

    package init(sources: Int) {
        calibrators = [Calibrator](repeating: Calibrator(), count: sources)
        hits = [UInt64](repeating: 0, count: sources)
        late = hits
        wasted = hits
    }

    package var sources: Int { calibrators.count }

    /// The probability that `said` by a source comes to.
    package func corrected(_ said: Float, source: Int) -> Float {
        calibrators[source].probability(LogOdds.of(said))
    }

    package mutating func learn(_ said: Float, source: Int, _ outcome: Outcome) {
        calibrators[source].learn(LogOdds.of(said), hit: outcome != .wasted)
        switch outcome {
        case .hit:
            hits[source] += 1
            advance = max(0, advance - Self.hitStep)
        case .late:
            late[source] += 1
            advance = min(Self.longestAdvance, advance + Self.lateStep)
        case .wasted: wasted[source] += 1
        }
    }

    package func save() -> [UInt8] {
        var archive = ArchiveWriter(kind: .outcomes)
        archive.put(UInt32(calibrators.count))
        archive.put(advance)
        for source in calibrators.indices {
            calibrators[source].save(to: &archive)
            for count in [hits[source], late[source], wasted[source]] { archive.put(count) }
        }
        return archive.finish()
    }

    package init(_ bytes: [UInt8], sources: Int) throws(ForecastError) {
        self.init(sources: sources)
        var archive = try ArchiveReader(bytes, kind: .outcomes)
        let count = Int(try archive.get(UInt32.self))
        try archive.require(count == sources, "it holds \(count) sources, not \(sources)")
        advance = try archive.get(Int64.self)
        try archive.require((0...Self.longestAdvance).contains(advance), "an advance of \(advance) ns")
        for source in 0..<sources {
            calibrators[source] = try Calibrator(from: &archive)
            hits[source] = try archive.get(UInt64.self)
            late[source] = try archive.get(UInt64.self)
            wasted[source] = try archive.get(UInt64.self)
        }
        try archive.finish()
    }
}
