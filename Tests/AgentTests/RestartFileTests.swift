import Glibc
import Linux
import Testing
import WarmPool

@testable import Agent

/// What one hearthd leaves for the next, read as if a stranger had written it.
@Suite struct RestartFileTests {
    private static let tag = SandboxTag(
        tier: .ready, kept: .all, runtime: 1, program: 7, generation: 1 << 40, created: 123_456_789, posture: .max,
        tmpBytes: 64 << 20, memory: 128 << 20, processes: 64)

    @Test func aTagComesBackAsItWas() {
        #expect(Self.tag.encoded.count == SandboxTag.size)
        #expect(SandboxTag(Self.tag.encoded) == Self.tag)
        var bare = Self.tag
        bare.tier = .bare
        bare.kept = []
        bare.generation = 0
        #expect(SandboxTag(bare.encoded) == bare)
    }

    /// One bit that is not as it was written, wherever it is: no tag.
    @Test func noTagIsBelievedThatIsNotWhole() {
        let whole = Self.tag.encoded
        for bit in 0..<(whole.count * 8) {
            var bytes = whole
            bytes[bit / 8] ^= 1 << UInt8(bit % 8)
            #expect(SandboxTag(bytes) == nil, "bit \(bit)")
        }
        #expect(SandboxTag([]) == nil && SandboxTag(whole + [0]) == nil && SandboxTag([UInt8](whole.dropLast())) == nil)
    }

    /// A checksum says that it is whole, not that it makes sense.
    @Test(arguments: ["tier", "kept", "runtime", "generation", "version"])
    func noTagIsBelievedThatMakesNoSense(_ what: String) {
        var bytes = Self.tag.encoded
        switch what {
        case "tier": bytes[1] = 9
        case "kept": bytes[2] = 0xff
        case "runtime": bytes[3] = 200
        case "generation": for index in 8..<16 { bytes[index] = 0 }  // a ready one of no function
        default: bytes[0] = 2
        }
        let sum = Checksum.of(bytes[..<56])
        for index in 0..<8 { bytes[56 + index] = UInt8(truncatingIfNeeded: sum >> UInt64(8 * index)) }
        #expect(SandboxTag(bytes) == nil)
    }

    private func withFile(_ body: @LoopActor (String) throws -> Void) async throws {
        let path = "/tmp/hearth-restart-\(getpid())-\(UInt32.random(in: 0...UInt32.max))"
        defer { try? Files.unlink(path) }
        try await body(path)
    }

    @Test func invocationsWithoutAnEndAreKnown() async throws {
        try await withFile { path in
            let first = RestartFile(try MappedFile(path: path, size: RestartFile.size))
            #expect(first.lost.isEmpty)
            let waiting = first.accepted(1, function: "waits")
            let running = first.accepted(2, function: String(repeating: "ü", count: 100))
            let ended = first.accepted(3, function: "ended")
            #expect(Set([waiting, running, ended]).count == 3)
            first.runs(running, in: 9)
            first.runs(ended, in: 10)
            first.ended(ended)
            first.note(slot: 5, sandbox: 9, RestartFile.Served(invocations: 4, lastUsed: 77, tag: 1234))
            first.note(slot: 6, sandbox: 10, RestartFile.Served(invocations: 1, lastUsed: 78, tag: 5))
            first.forget(slot: 6)

            let second = RestartFile(try MappedFile(path: path, size: RestartFile.size))
            #expect(second.lost.map(\.id) == [1, 2])
            #expect(second.lost.map(\.sandbox) == [0, 9])
            #expect(second.lost.first?.function == "waits")
            #expect(second.wasRunning(9) && !second.wasRunning(10))
            #expect(second.served(9) == RestartFile.Served(invocations: 4, lastUsed: 77, tag: 1234))
            #expect(second.served(10) == nil)
            // Until they are told, they stay for the one after, and their places are not given away.
            #expect(![waiting, running].contains(second.accepted(4, function: "new")))
            #expect(RestartFile(try MappedFile(path: path, size: RestartFile.size)).lost.map(\.id) == [1, 2, 4])
            second.forgetFormer()
            #expect(RestartFile(try MappedFile(path: path, size: RestartFile.size)).lost.map(\.id) == [4])
        }
    }

    /// More invocations than there are places, and a file that is none: less is known, nothing fails.
    @Test func aFullOrForeignFileDoesNoHarm() async throws {
        try await withFile { path in
            let file = RestartFile(try MappedFile(path: path, size: RestartFile.size))
            let entries = (0..<(RestartFile.entries + 10)).map { file.accepted(UInt64($0), function: "f") }
            #expect(entries.count { $0 < 0 } == 10)
            for entry in entries { file.ended(entry) }
            #expect(file.accepted(1, function: "f") >= 0)

            var generator = SystemRandomNumberGenerator()
            let mapped = try MappedFile(path: path, size: RestartFile.size)
            for round in 0..<8 {
                let magic = mapped.bytes.load(as: UInt64.self)
                // Of a length that no entry has, so that every field gets every byte.
                let noise = (0..<4099).map { _ in UInt8.random(in: 0...255, using: &generator) }
                for start in stride(from: 0, to: RestartFile.size, by: noise.count) {
                    let end = min(start + noise.count, RestartFile.size)
                    UnsafeMutableRawBufferPointer(rebasing: mapped.bytes[start..<end])
                        .copyBytes(from: noise[..<(end - start)])
                }
                // Behind a head that is right, and behind one that is not.
                if round % 2 == 0 { mapped.bytes.storeBytes(of: magic, as: UInt64.self) }
                let foreign = RestartFile(try MappedFile(path: path, size: RestartFile.size))
                for lost in foreign.lost { #expect(lost.function.utf8.count <= 3 * 128) }
                if round % 2 == 1 { #expect(foreign.lost.isEmpty && foreign.accepted(1, function: "f") >= 0) }
                foreign.forgetFormer()
            }
            #expect(RestartFile(nil).accepted(1, function: "f") == -1)
        }
    }
}
