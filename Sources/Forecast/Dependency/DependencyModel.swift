import Glibc

/// What brings a function about: functions that call it and topics that are bound to it. Edges known beforehand count
/// as if they had been seen a few times; the rest is learned as directed co-occurrence at a lag (Defuse, ICDCS 2021;
/// SPES, ICDE 2024), with the distribution of the lag, so that a successor is ready when it is due and not before.
///
/// An update costs one count for each of the latest causes, at most 16.
package struct DependencyModel: Sendable {
    struct Edge: Sendable {
        /// How often the effect followed, and how often by static knowledge it is held to have.
        var pairs: Float = 0
        var seeded: Float = 0
        var lags = LagHistogram()
        /// Seconds: the occurrence of the cause that was counted last, so that each counts once.
        var counted: Double = -1
    }

    struct CauseState: Sendable {
        var occurrences: Float = 0
        var effects: [UInt32] = []
    }

    private struct Recent: Sendable {
        var cause: UInt32
        var user: UInt32
        var time: Double
    }

    /// An effect that a cause lets expect.
    package struct Effect: Sendable {
        package var function: UInt32
        /// That it follows at all within the window.
        package var probability: Float
        package var lags: LagHistogram
    }

    /// Seconds after which a cause is no cause any more.
    package static let window = 600.0
    /// What a static edge counts for: that many occurrences, all but a tenth followed.
    private static let seed: Float = 4
    private static let recentKept = 16
    private static let effectsKept = 32

    private var edges: [UInt64: Edge] = [:]
    private var causes: [UInt32: CauseState] = [:]
    private var recent: [Recent] = []
    private var start: Double?
    private var latest = 0.0
    package private(set) var capacity: Int

    package init(capacity: Int = 100_000) { self.capacity = capacity }

    package var edgeCount: Int { edges.count }

    private static func key(_ cause: UInt32, _ function: UInt32) -> UInt64 { UInt64(cause) << 32 | UInt64(function) }

    /// Static knowledge: `cause` brings `function` about after about `lag` seconds (0: unknown).
    package mutating func seed(_ cause: Cause, _ function: UInt32, lag: Float) {
        let key = Self.key(cause.code, function)
        if edges[key] == nil { link(cause.code, function) }
        var edge = edges[key] ?? Edge()
        if edge.seeded == 0 { edge.lags.add(lag > 0 ? lag : 1, weight: Self.seed) }
        edge.seeded = Self.seed
        edges[key] = edge
    }

    /// An event, or a call as a cause of others. `user` keeps the causes of different users apart.
    package mutating func occurred(_ cause: Cause, user: UInt32, time: Double) {
        if start == nil { start = time }
        latest = max(latest, time)
        causes[cause.code, default: CauseState()].occurrences += 1
        recent.removeAll { $0.cause == cause.code && $0.user == user || time - $0.time > Self.window }
        if recent.count >= Self.recentKept { recent.removeFirst() }
        recent.append(Recent(cause: cause.code, user: user, time: time))
    }

    /// `function` was called: it followed what came before. Call this before `occurred` of the same call.
    package mutating func followed(_ function: UInt32, user: UInt32, time: Double) {
        let own = Cause.function(function).code
        for cause in recent where cause.cause != own && time - cause.time <= Self.window {
            if user != Signal.nobody && cause.user != Signal.nobody && user != cause.user { continue }
            let key = Self.key(cause.cause, function)
            if edges[key] == nil {
                if edges.count >= capacity { thin(to: capacity * 3 / 4) }
                link(cause.cause, function)
            }
            var edge = edges[key] ?? Edge()
            guard edge.counted != cause.time else { continue }
            edge.counted = cause.time
            edge.pairs += 1
            edge.lags.add(Float(time - cause.time))
            edges[key] = edge
        }
    }

    /// What comes next follows nothing that came before: the stream of observations goes on elsewhere in time.
    package mutating func breakOff() { recent.removeAll() }

    /// Forgets a function, as a cause and as an effect.
    package mutating func remove(_ function: UInt32) {
        let own = Cause.function(function).code
        edges = edges.filter { UInt32($0.key >> 32) != own && UInt32(truncatingIfNeeded: $0.key) != function }
        causes[own] = nil
        for cause in causes.keys { causes[cause]?.effects.removeAll { $0 == function } }
        recent.removeAll { $0.cause == own }
    }

    private mutating func link(_ cause: UInt32, _ function: UInt32) {
        var state = causes[cause] ?? CauseState()
        if state.effects.count >= Self.effectsKept {
            // The rarest makes room.
            let rarest = state.effects.indices.min {
                strength(cause, state.effects[$0]) < strength(cause, state.effects[$1])
            }
            if let rarest {
                edges[Self.key(cause, state.effects[rarest])] = nil
                state.effects.remove(at: rarest)
            }
        }
        state.effects.append(function)
        causes[cause] = state
    }

    private func strength(_ cause: UInt32, _ function: UInt32) -> Float {
        guard let edge = edges[Self.key(cause, function)] else { return 0 }
        return edge.pairs + 1000 * edge.seeded
    }

    /// What `cause`, just occurred, lets expect beyond chance; the likeliest first.
    package func effects(of cause: Cause) -> [Effect] {
        guard let state = causes[cause.code] else { return [] }
        let elapsed = Float(max(60, latest - (start ?? latest)))
        var found: [Effect] = []
        for function in state.effects {
            guard let edge = edges[Self.key(cause.code, function)], edge.seeded > 0 || edge.pairs >= 2 else { continue }
            let trials = state.occurrences + edge.seeded
            let raw = min(0.99, (edge.pairs + 0.9 * edge.seeded) / (trials + 1))
            // What would follow within three quarters of its lags' time anyway.
            let rate = (causes[Cause.function(function).code]?.occurrences ?? 0) / elapsed
            let chance = edge.seeded > 0 ? 0 : 1 - expf(-rate * max(1, edge.lags.quantile(0.75)))
            let excess = (raw - chance) / max(0.01, 1 - chance)
            if excess > 0.1 { found.append(Effect(function: function, probability: excess, lags: edge.lags)) }
        }
        return found.sorted { $0.probability > $1.probability }
    }

    /// Drops the weakest edges.
    private mutating func thin(to count: Int) {
        guard edges.count > count else { return }
        let strengths = edges.values.map { $0.pairs + 1000 * $0.seeded }.sorted()
        let limit = count > 0 ? strengths[edges.count - count] : .infinity
        var kept = 0
        edges = edges.filter {
            let strength = $0.value.pairs + 1000 * $0.value.seeded
            guard strength >= limit && kept < count else { return false }
            kept += 1
            return true
        }
        for cause in causes.keys {
            guard var state = causes[cause] else { continue }
            state.effects.removeAll { edges[Self.key(cause, $0)] == nil }
            causes[cause] = state
        }
        if causes.count > 2 * capacity { causes = causes.filter { !$0.value.effects.isEmpty } }
    }

    package var memoryBytes: Int {
        edges.capacity * (MemoryLayout<Edge>.stride + 9) + causes.count * 48 + edges.count * 4
    }

    package mutating func forget(toFit bytes: Int) {
        while memoryBytes > bytes, !edges.isEmpty {
            thin(to: min(edges.count * 7 / 8, Int(Double(edges.count) * Double(bytes) / Double(memoryBytes))))
            edges = edges.reduce(into: Dictionary(minimumCapacity: edges.count)) { $0[$1.key] = $1.value }
            causes = causes.filter { !$0.value.effects.isEmpty }
        }
        if memoryBytes > bytes { causes.removeAll() }
    }

    package func save(to archive: inout ArchiveWriter) {
        archive.put(UInt32(capacity))
        archive.put(start ?? latest)
        archive.put(latest)
        archive.put(UInt32(causes.count))
        for (cause, state) in causes.sorted(by: { $0.key < $1.key }) {
            archive.put(cause)
            archive.put(state.occurrences)
            archive.put(UInt32(state.effects.count))
            for function in state.effects {
                let edge = edges[Self.key(cause, function)] ?? Edge()
                archive.put(function)
                archive.put(edge.pairs)
                archive.put(edge.seeded)
                for bin in 0..<16 { archive.put(edge.lags.counts[bin]) }
            }
        }
    }

    package init(from archive: inout ArchiveReader) throws(ForecastError) {
        capacity = Int(try archive.get(UInt32.self))
        try archive.require(capacity <= 1 << 24, "room for \(capacity) dependencies")
        start = try archive.get(Double.self)
        latest = try archive.get(Double.self)
        let count = try archive.count(size: 12)
        for _ in 0..<count {
            let cause = try archive.get(UInt32.self)
            var state = CauseState()
            state.occurrences = try archive.get(Float.self)
            let effects = try archive.count(size: 76)
            for _ in 0..<effects {
                let function = try archive.getNumber()
                var edge = Edge()
                edge.pairs = try archive.get(Float.self)
                edge.seeded = try archive.get(Float.self)
                for bin in 0..<16 { edge.lags.counts[bin] = try archive.get(Float.self) }
                try archive.require(edges[Self.key(cause, function)] == nil, "a dependency occurs twice")
                edges[Self.key(cause, function)] = edge
                state.effects.append(function)
            }
            causes[cause] = state
        }
    }
}
