import Foundation
import Testing

@testable import Forecast

@Suite struct SnapshotTests {
    private func busy(functions: Int, users: Int, calls: Int) throws -> Forecaster {
        var engine = try Forecaster()
        var random = SeededGenerator(seed: 51)
        for call in 0..<calls {
            let function = "f\(random.below(functions))"
            engine.observe(Truth.request(function, user: "u\(random.below(users))", at: Double(call) * 2))
        }
        return engine
    }

    /// A snapshot is of the moment it was taken, whatever the original does meanwhile.
    @Test func aSnapshotIsOfItsMoment() async throws {
        var engine = try busy(functions: 20, users: 30, calls: 2000)
        let bytes = engine.save()
        let snapshot = engine.snapshot()
        let encoding = Task.detached { snapshot.encode() }
        for call in 0..<500 {
            engine.observe(Truth.request("f\(call % 25)", user: "u\(call % 40)", at: 5000 + Double(call)))
        }
        #expect(await encoding.value == bytes)
        #expect(engine.save() != bytes)
    }

    /// The loop must not wait for the encoding: what it pays is a copy of the blocks that it changes.
    @Test func goingOnBesideASnapshotIsShortAgainstEncoding() throws {
        var engine = try busy(functions: 800, users: 2000, calls: 12_000)
        let clock = Thread.processorSeconds
        var begin = clock()
        let snapshot = engine.snapshot()
        let taking = clock() - begin
        var slowest = 0.0
        for call in 0..<200 {
            begin = clock()
            engine.observe(Truth.request("f\(call)", user: "u\(call)", at: 30_000 + Double(call)))
            slowest = max(slowest, clock() - begin)
        }
        begin = clock()
        let bytes = snapshot.encode()
        let encoding = clock() - begin
        #expect(!bytes.isEmpty)
        #expect(taking < encoding / 20, "taking \(taking) s, encoding \(encoding) s")
        #expect(slowest < encoding / 2, "an event \(slowest) s, encoding \(encoding) s")
    }

    /// Changes after a copy stay within their block: the copy keeps what it had.
    @Test func blocksAreValues() {
        var blocks = Blocks<Int>(repeating: 1, count: Blocks<Int>.size + 3)
        blocks.append(9)
        let copy = blocks
        blocks[Blocks<Int>.size + 1] = 5
        blocks.append(repeating: 7, count: 2 * Blocks<Int>.size)
        #expect(copy.count == Blocks<Int>.size + 4)
        #expect(copy[Blocks<Int>.size + 1] == 1 && blocks[Blocks<Int>.size + 1] == 5)
        #expect(copy[copy.count - 1] == 9 && blocks[copy.count - 1] == 9 && blocks[blocks.count - 1] == 7)
        #expect(blocks.count == 3 * Blocks<Int>.size + 4)
        #expect(Array(copy) == [Int](repeating: 1, count: Blocks<Int>.size + 3) + [9])
    }

    /// Every cut of the file, and a flipped bit in each of many places, is refused; never a crash.
    @Test func cutAndFlippedFilesAreRefused() throws {
        let bytes = try busy(functions: 12, users: 9, calls: 300).save()
        for step in 0..<60 {
            let length = bytes.count * step / 60
            #expect(throws: ForecastError.self, "cut to \(length)") { try Forecaster(Array(bytes.prefix(length))) }
        }
        for step in 0..<60 {
            var damaged = bytes
            damaged[(bytes.count - 1) * step / 59] ^= 1 << UInt8(step % 8)
            #expect(throws: ForecastError.self, "flipped at \((bytes.count - 1) * step / 59)") {
                try Forecaster(damaged)
            }
        }
    }

    /// Damage with a checksum that fits: whatever the values are, it is refused or read, and never a crash.
    @Test func forgedFilesDoNotCrash() throws {
        let bytes = try busy(functions: 12, users: 9, calls: 300).save()
        var random = SeededGenerator(seed: 52)
        var refused = 0
        for _ in 0..<40 {
            var forged = Array(bytes.dropLast(8))
            for _ in 0..<8 { forged[24 + random.below(forged.count - 24)] = UInt8(random.below(256)) }
            withUnsafeBytes(of: ArchiveWriter.checksum(forged[...]).littleEndian) { forged.append(contentsOf: $0) }
            do {
                var engine = try Forecaster(forged)
                engine.observe(Truth.request("f1", user: "u1", at: 1e5))
                _ = engine.outlook("f1", at: Truth.seconds(1e5 + 1))
            } catch {
                refused += 1
            }
        }
        #expect(refused > 0, "seed 52")
    }
}

extension Thread {
    /// Processor time of this thread, so that a loaded machine does not count.
    fileprivate static func processorSeconds() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
    }
}
