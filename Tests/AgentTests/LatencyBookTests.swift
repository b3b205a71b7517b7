import Agent
import Testing
import Wire

/// The book of latencies against a model that remembers everything.
@Suite struct LatencyBookTests {
    private typealias Counts = [LatencyKey: UInt64]

    private static func counts(_ series: [HearthLatencySeries]) -> Counts {
        series.reduce(into: Counts()) { counts, one in
            guard one.phase == .total else { return }
            counts[LatencyKey(function: one.function, start: UInt8(one.startKind.rawValue))] = one.histogram.total
        }
    }

    private static func merge(_ counts: Counts, into sum: inout Counts) { sum.merge(counts) { $0 + $1 } }

    /// A puller of the model: what it had before its last answer, what that answer brought, and what has come since.
    private struct Puller {
        var acknowledged: UInt64
        var offered: UInt64
        var sinceAcknowledged: Counts
        var sinceOffered: Counts
    }

    @Test(arguments: (0..<200).map { _ in UInt64.random(in: 0 ... .max) })
    func everyPullerGetsEverythingOnce(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var book = LatencyBook(now: 0)
        var fresh = LatencySegment()
        var pullers: [Puller] = []
        var total: Counts = [:]
        var now: Int64 = 0
        for step in 0..<300 {
            now += Int64.random(in: 0...1000, using: &random)
            if Int.random(in: 0..<3, using: &random) > 0 {
                let name = "f\(Int.random(in: 0..<5, using: &random))"
                let start: HearthStartKind = Bool.random(using: &random) ? .warm : .cold
                fresh.record(function: name, start: start, (.total, UInt64.random(in: 0...1 << 40, using: &random)))
                let one: Counts = [LatencyKey(function: name, start: UInt8(start.rawValue)): 1]
                Self.merge(one, into: &total)
                for index in pullers.indices {
                    Self.merge(one, into: &pullers[index].sinceAcknowledged)
                    Self.merge(one, into: &pullers[index].sinceOffered)
                }
                continue
            }
            if Int.random(in: 0..<5, using: &random) == 0 {
                // A function is deleted: those who pull still get what it did, those who begin do not.
                let name = "f\(Int.random(in: 0..<5, using: &random))"
                fresh.forget(name)
                total = total.filter { $0.key.function != name }
                continue
            }
            if pullers.count < 4, Int.random(in: 0..<4, using: &random) == 0 {
                let answer = try book.pull(fresh, cursor: 0, function: "", now: now)
                fresh = LatencySegment()
                #expect(Self.counts(answer.series) == total, "seed \(seed), step \(step)")
                pullers.append(
                    Puller(
                        acknowledged: answer.cursor, offered: answer.cursor, sinceAcknowledged: [:], sinceOffered: [:]))
                continue
            }
            guard let index = pullers.indices.randomElement(using: &random) else { continue }
            // Half of the answers before are taken for lost, and asked for again.
            let repeats = Bool.random(using: &random)
            let cursor = repeats ? pullers[index].acknowledged : pullers[index].offered
            let expected = repeats ? pullers[index].sinceAcknowledged : pullers[index].sinceOffered
            let answer = try book.pull(fresh, cursor: cursor, function: "", now: now)
            fresh = LatencySegment()
            #expect(Self.counts(answer.series) == expected, "seed \(seed), step \(step)")
            if !repeats { pullers[index].sinceAcknowledged = expected }
            pullers[index].acknowledged = cursor
            pullers[index].offered = answer.cursor
            pullers[index].sinceOffered = [:]
            #expect(book.pieceCount <= 2 * pullers.count + 1, "seed \(seed), step \(step)")
        }
    }

    /// A client that only looks now and then does not displace those that pull again and again, nor does it cost more than
    /// a bounded number of segments.
    @Test func lookersDoNotDisplacePullers() throws {
        var book = LatencyBook(now: 0)
        var fresh = LatencySegment()
        fresh.record(function: "f", start: .warm, (.total, 5))
        var cursor = try book.pull(fresh, cursor: 0, function: "", now: 1).cursor
        cursor = try book.pull(LatencySegment(), cursor: cursor, function: "", now: 2).cursor
        for look in 0..<100 {
            var more = LatencySegment()
            more.record(function: "f", start: .warm, (.total, 5))
            let answer = try book.pull(more, cursor: 0, function: "", now: Int64(3 + look))
            #expect(Self.counts(answer.series).values.first == UInt64(look + 2))
        }
        #expect(book.pieceCount <= 40)
        let answer = try book.pull(LatencySegment(), cursor: cursor, function: "", now: 200)
        #expect(Self.counts(answer.series).values.first == 100)
        #expect(answer.interval == 198)
    }

    @Test func oneThatStaysAwayBeginsAnew() throws {
        var book = LatencyBook(now: 0)
        let cursor = try book.pull(LatencySegment(), cursor: 0, function: "", now: 1).cursor
        let late: Int64 = 2 * 3600 * 1_000_000_000
        book.add(LatencySegment(), now: late)
        #expect(throws: AgentError.self) {
            try book.pull(LatencySegment(), cursor: cursor, function: "", now: late + 1)
        }
    }

    /// Ten thousand functions, each at two start kinds, with values all over.
    @Test func memoryIsBounded() {
        var random = SeededGenerator(seed: 7)
        var segment = LatencySegment()
        for function in 0..<10_000 {
            for start in [HearthStartKind.warm, .cold] {
                for _ in 0..<30 {
                    segment.record(
                        function: "f\(function)", start: start,
                        (.total, UInt64.random(in: 0...1 << 44, using: &random)),
                        (.run, UInt64.random(in: 0...1 << 44, using: &random)))
                }
            }
        }
        // 1,200,000 values, nearly all in cells of their own until the bound; the counts are exact all the same.
        #expect(segment.cells <= 1 << 20 + 40_000)
        let total = segment.wire().reduce(0) { $0 + $1.histogram.total }
        #expect(total == 1_200_000)
    }
}

/// SplitMix64: the same numbers for the same seed.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64
    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var value = state
        value = (value ^ value >> 30) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ value >> 27) &* 0x94d0_49bb_1331_11eb
        return value ^ value >> 31
    }
}
