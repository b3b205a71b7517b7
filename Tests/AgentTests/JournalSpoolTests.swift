import Glibc
import Linux
import Testing
import WarmPool
import Wire

@testable import Agent

/// Entries that a killed agent had noted and not yet written.
@Suite struct JournalSpoolTests {
    private func withFile(_ body: @LoopActor (String) throws -> Void) async throws {
        let path = "/tmp/hearth-spool-\(getpid())-\(UInt32.random(in: 0...UInt32.max))"
        defer { try? Files.unlink(path) }
        try await body(path)
    }

    private static func invocation(_ id: UInt64, function: String = "f") -> JournalEvent {
        var timing = HearthTiming()
        timing.queuedNs = 1_000
        timing.runNs = 5_000_000
        timing.totalNs = 6_000_000
        return .invocation(
            InvocationNote(
                id: id, function: function, generation: 3, sandbox: "s9", user: "ada", session: "", start: .warm,
                outcome: .functionError, timing: timing, payloadBytes: 12, resultBytes: 0, peakMemory: 4096,
                errorType: "KeyError"))
    }

    private static let kinds: [JournalEvent] = [
        invocation(1), .run(sandbox: "s1", outcome: .ok), .lost(7),
        .note(kind: "plan", function: "f", sandbox: "", text: "taken: ünïcode", fields: ["a": "1", "b": ""]),
        .pool(PoolNote(record: .planExpired(generation: 4), function: "", sandbox: "")),
    ]

    @Test func everyKindComesBackAsItWas() async throws {
        try await withFile { path in
            let file = try MappedFile(path: path, size: JournalSpool.size)
            let spool = JournalSpool(file, stored: 0)
            for (index, event) in Self.kinds.enumerated() { #expect(spool.append(Int64(index) + 100, event)) }
            let (notes, end) = JournalSpool.read(try MappedFile(path: path, size: JournalSpool.size), stored: 0)
            #expect(notes.map(\.event.entry) == Self.kinds.map(\.entry))
            #expect(notes.map(\.unixMilliseconds) == [100, 101, 102, 103, 104])
            #expect(end == spool.written)
        }
    }

    /// What the database has is not told again, and the ring goes round.
    @Test func theRingGoesRound() async throws {
        try await withFile { path in
            let file = try MappedFile(path: path, size: JournalSpool.size)
            var generator = SystemRandomNumberGenerator()
            let spool = JournalSpool(file, stored: UInt64.random(in: 0...1 << 40, using: &generator))
            var stored = spool.written
            for id in 0..<40_000 as Range<UInt64> {
                #expect(spool.append(0, Self.invocation(id, function: String(repeating: "n", count: Int(id % 97)))))
                guard id % 100 == 99 else { continue }
                let (notes, end) = JournalSpool.read(file, stored: stored)
                #expect(end == spool.written && notes.count == 100)
                #expect(notes.first?.event.entry.fields["invocation"] == "\(id - 99)")
                stored = end
                spool.stored(through: end)
            }
            #expect(spool.written > UInt64(JournalSpool.size) * 5)
        }
    }

    /// Where the disk does not keep up, entries wait in memory alone; nothing is overwritten.
    @Test func aFullSpoolTakesNoMore() async throws {
        try await withFile { path in
            let file = try MappedFile(path: path, size: JournalSpool.size)
            let spool = JournalSpool(file, stored: 0)
            var taken = 0
            while spool.append(0, Self.invocation(UInt64(taken))) { taken += 1 }
            #expect(taken > 4000 && spool.isHalfFull)
            #expect(JournalSpool.read(file, stored: 0).notes.count == taken)
            spool.stored(through: spool.written)
            #expect(spool.append(0, Self.invocation(0)) && !spool.isHalfFull)
        }
    }

    /// A power cut may tear a page; what is behind it is not believed, and the next entries are read again.
    @Test func damageEndsTheReading() async throws {
        try await withFile { path in
            let file = try MappedFile(path: path, size: JournalSpool.size)
            let spool = JournalSpool(file, stored: 0)
            var ends: [UInt64] = []
            for id in 0..<10 as Range<UInt64> {
                spool.append(0, Self.invocation(id))
                ends.append(spool.written)
            }
            for at in [Int(ends[4]) + 30, Int(ends[4]) + 2] {
                let byte = file.bytes[4096 + at]
                file.bytes[4096 + at] = byte ^ 0x55
                let (notes, end) = JournalSpool.read(file, stored: 0)
                #expect(notes.count == 5 && end == ends[9])
                file.bytes[4096 + at] = byte
            }
            #expect(JournalSpool.read(file, stored: 0).notes.count == 10)
            // Another file's bytes, a position from the future: nothing.
            #expect(JournalSpool.read(file, stored: ends[9] + 1).notes.isEmpty)
            file.bytes[0] ^= 1
            #expect(JournalSpool.read(file, stored: 0).notes.isEmpty)
            #expect(JournalSpool.read(nil, stored: 5).end == 5)
        }
    }
}
