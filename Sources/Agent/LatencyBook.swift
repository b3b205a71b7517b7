import Synchronization
package import Wire

/// One function's histograms are kept apart by how its sandboxes started.
package struct LatencyKey: Hashable, Sendable {
    package var function: String
    package var start: UInt8

    package init(function: String, start: UInt8) {
        self.function = function
        self.start = start
    }
}

/// What was measured over a stretch of time.
package struct LatencySegment: Sendable {
    private(set) package var series: [LatencyKey: PhaseHistograms] = [:]
    /// What functions did before they were deleted in it: answered once, and of no more interest then.
    private var past: [LatencyKey: PhaseHistograms] = [:]
    /// Functions that were deleted in it; what `series` has of them came after that.
    private(set) var deleted: Set<String> = []
    /// Cells of all series, each of 8 bytes.
    private(set) package var cells = 0

    package init() {}

    package var isEmpty: Bool { series.isEmpty && deleted.isEmpty && past.isEmpty }

    /// Beyond this many cells a value goes to the nearest cell that is there: counts stay exact, memory is bounded.
    static let mostCells = 1 << 20

    package mutating func record(
        function: String, start: HearthStartKind, _ timing: (phase: LatencyPhase, nanoseconds: UInt64)...
    ) {
        let key = LatencyKey(function: function, start: UInt8(clamping: start.rawValue))
        let coarsely = cells >= Self.mostCells
        cells += Self.change(&series[key, default: PhaseHistograms()]) { histograms in
            for (phase, value) in timing { histograms.record(phase, value, coarsely: coarsely) }
        }
    }

    /// The change in cells.
    private static func change(_ histograms: inout PhaseHistograms, _ body: (inout PhaseHistograms) -> Void) -> Int {
        let before = histograms.cells.count
        body(&histograms)
        return histograms.cells.count - before
    }

    /// The function is deleted: what it did until now belongs to the past.
    package mutating func forget(_ function: String) {
        deleted.insert(function)
        for start in 0...UInt8(HearthStartKind.warm.rawValue) {
            let key = LatencyKey(function: function, start: start)
            guard let histograms = series.removeValue(forKey: key) else { continue }
            cells -= histograms.cells.count
            cells += Self.change(&past[key, default: PhaseHistograms()]) { $0.merge(histograms) }
        }
    }

    /// Takes in what a later segment measured.
    mutating func merge(_ later: LatencySegment) {
        for function in later.deleted { forget(function) }
        for (key, histograms) in later.series {
            let coarsely = cells >= Self.mostCells
            cells += Self.change(&series[key, default: PhaseHistograms()]) { $0.merge(histograms, coarsely: coarsely) }
        }
        for (key, histograms) in later.past {
            let coarsely = cells >= Self.mostCells
            cells += Self.change(&past[key, default: PhaseHistograms()]) { $0.merge(histograms, coarsely: coarsely) }
        }
    }

    /// Nobody will ask any more what functions did before they were deleted.
    mutating func dropPast() {
        cells -= past.values.reduce(0) { $0 + $1.cells.count }
        past = [:]
        deleted = []
    }

    /// Everything that was measured in it, the past too.
    var whole: LatencySegment {
        var whole = self
        whole.past = [:]
        whole.deleted = []
        for (key, histograms) in past { whole.series[key, default: PhaseHistograms()].merge(histograms) }
        return whole
    }
}

/// What one pull answers.
package struct LatencyAnswer: Sendable {
    package var cursor: UInt64
    package var series: [HearthLatencySeries]
    /// Nanoseconds that these figures cover.
    package var interval: Int64
}

/// Latencies by pull: every puller gets everything exactly once, however many there are and however often one asks again.
///
/// Time is cut into segments where pulls were answered. A puller's cursor names the cut that it has everything before. Until
/// it comes back with the next one, both this cut and the one of the latest answer, which may have been lost, are kept;
/// segments between which no cut is kept any more are merged, and those before all cuts make up the base. So there are at
/// most two segments for each puller, whatever their pace.
package struct LatencyBook: Sendable {
    private struct Puller: Sendable {
        var function: String
        /// Everything before this cut has arrived there.
        var acknowledged: UInt64
        /// The cut of the last answer.
        var offered: UInt64
        /// Came back at least once: no client that only looks displaces it.
        var isRegular: Bool
        var seen: Int64
    }

    private struct Piece: Sendable {
        var segment: LatencySegment
        /// The cut at its end, and when that was.
        var end: UInt64
        var at: Int64
    }

    /// Those that came back, and those that were seen once.
    static let mostRegular = 8
    static let mostOnce = 16
    /// A puller that stays away longer begins anew.
    static let patience: Int64 = 3600 * 1_000_000_000

    private var base = LatencySegment()
    private var baseCut: UInt64 = 0
    private var baseAt: Int64
    private let started: Int64
    private var pieces: [Piece] = []
    private var pullers: [UInt64: Puller] = [:]
    private var lastCut: UInt64 = 0
    private var lastPuller: UInt64 = 0

    /// - Parameter now: monotonic, in nanoseconds, as in every call.
    package init(now: Int64) {
        started = now
        baseAt = now
    }

    /// Segments held: tests see that it stays small.
    package var pieceCount: Int { pieces.count }

    private static let cutBits: UInt64 = 40

    /// Takes over what has been measured since the call before, without an answer.
    package mutating func add(_ segment: LatencySegment, now: Int64) {
        if !segment.isEmpty {
            lastCut += 1
            pieces.append(Piece(segment: segment, end: lastCut, at: now))
        }
        compact(now)
    }

    /// Answers a pull, after `fresh` has been taken in.
    /// - Parameter cursor: of the answer before; 0 for everything since the start.
    package mutating func pull(
        _ fresh: LatencySegment, cursor: UInt64, function: String, now: Int64
    ) throws(AgentError) -> LatencyAnswer {
        // Also where nothing was measured: each answer has a cut of its own, and so its time.
        lastCut += 1
        pieces.append(Piece(segment: fresh, end: lastCut, at: now))
        defer { compact(now) }
        let since: UInt64?
        let id: UInt64
        if cursor == 0 {
            lastPuller += 1
            id = lastPuller
            since = nil
            makeRoom(regular: false)
            pullers[id] = Puller(
                function: function, acknowledged: lastCut, offered: lastCut, isRegular: false, seen: now)
        } else {
            id = cursor >> Self.cutBits
            let cut = cursor & (1 << Self.cutBits - 1)
            guard var puller = pullers[id], cut == puller.acknowledged || cut == puller.offered else {
                throw AgentError(
                    .failedPrecondition, "latency cursor \(cursor) is no longer kept",
                    remedy: "pull with cursor 0, and put what comes in place of everything had from this boot_id")
            }
            guard puller.function == function else {
                throw .invalid(
                    "latency cursor \(cursor) was given for function '\(puller.function)', not for '\(function)'",
                    remedy: "keep a cursor for each question")
            }
            since = cut
            puller.acknowledged = cut
            puller.offered = lastCut
            puller.seen = now
            let isNew = !puller.isRegular
            puller.isRegular = true
            pullers[id] = nil
            if isNew { makeRoom(regular: true) }
            pullers[id] = puller
        }
        return LatencyAnswer(
            cursor: id << Self.cutBits | lastCut, series: series(since: since, function: function),
            interval: now - (since.map { time(of: $0) } ?? started))
    }

    /// Everything since the start, of the functions that are there.
    package func total(with fresh: LatencySegment) -> LatencySegment {
        var sum = base
        for piece in pieces { sum.merge(piece.segment) }
        sum.merge(fresh)
        return sum
    }

    private func time(of cut: UInt64) -> Int64 {
        cut == baseCut ? baseAt : pieces.last { $0.end == cut }?.at ?? started
    }

    private func series(since cut: UInt64?, function: String) -> [HearthLatencySeries] {
        guard let cut else { return total(with: LatencySegment()).wire(function: function) }
        var sum = LatencySegment()
        for piece in pieces where piece.end > cut { sum.merge(piece.segment) }
        return sum.whole.wire(function: function)
    }

    /// Lets go of the puller that was longest away where there are too many of its kind.
    private mutating func makeRoom(regular: Bool) {
        let kind = pullers.filter { $0.value.isRegular == regular }
        guard kind.count >= (regular ? Self.mostRegular : Self.mostOnce) else { return }
        let oldest = kind.min { ($0.value.seen, $0.key) < ($1.value.seen, $1.key) }
        if let oldest { pullers[oldest.key] = nil }
    }

    private mutating func compact(_ now: Int64) {
        for (id, puller) in pullers where now - puller.seen > Self.patience { pullers[id] = nil }
        var kept: Set<UInt64> = []
        for puller in pullers.values {
            kept.insert(puller.acknowledged)
            kept.insert(puller.offered)
        }
        // Before the first cut that is kept, nobody asks for less than everything.
        let first = kept.min() ?? .max
        while let piece = pieces.first, piece.end <= first {
            base.merge(piece.segment)
            base.dropPast()
            baseCut = piece.end
            baseAt = piece.at
            pieces.removeFirst()
        }
        var index = 0
        while index + 1 < pieces.count {
            guard !kept.contains(pieces[index].end) else {
                index += 1
                continue
            }
            pieces[index].segment.merge(pieces[index + 1].segment)
            pieces[index].end = pieces[index + 1].end
            pieces[index].at = pieces[index + 1].at
            pieces.remove(at: index + 1)
        }
    }
}

extension LatencySegment {
    /// As the protocol has it, in order of function, start kind and phase.
    package func wire(function: String = "") -> [HearthLatencySeries] {
        var all: [HearthLatencySeries] = []
        let keys = series.keys.filter { function.isEmpty || $0.function == function }
        for key in keys.sorted(by: { ($0.function, $0.start) < ($1.function, $1.start) }) {
            guard let histograms = series[key] else { continue }
            for phase in LatencyPhase.allCases {
                guard let histogram = histograms.wire(phase) else { continue }
                var entry = HearthLatencySeries()
                entry.function = key.function
                entry.startKind = HearthStartKind(rawValue: Int(key.start)) ?? .unspecified
                entry.phase = phase.wire
                entry.histogram = histogram
                all.append(entry)
            }
        }
        return all
    }
}

/// The book, for the loop that measures and the thread that answers pulls.
final class LatencyStore: Sendable {
    private let book: Mutex<LatencyBook>

    init(now: Int64) {
        book = Mutex(LatencyBook(now: now))
    }

    func add(_ segment: LatencySegment, now: Int64) { book.withLock { $0.add(segment, now: now) } }

    func pull(
        _ fresh: LatencySegment, cursor: UInt64, function: String, now: Int64
    ) -> Result<LatencyAnswer, AgentError> {
        book.withLock { book in
            do throws(AgentError) {
                return .success(try book.pull(fresh, cursor: cursor, function: function, now: now))
            } catch {
                return .failure(error)
            }
        }
    }

    func total(with fresh: LatencySegment) -> LatencySegment { book.withLock { $0.total(with: fresh) } }
}
