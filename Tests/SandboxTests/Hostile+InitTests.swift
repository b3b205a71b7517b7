import Glibc
import Linux
import NurseryABI
import SandboxTestSupport
import Testing

@testable import Sandbox

/// PID 1 against rubbish on its socket, and a nursery whose hearthd goes.
extension SandboxTests.Hostile {
    @Test func pid1SurvivesRubbish() throws {
        try withRaw { nursery, image in
            let sandbox = try nursery.create(slot: 3, image: image)
            var random = SeededGenerator()
            for length in 1...400 {
                var bytes = random.bytes(length)
                if length >= 8 { bytes.replaceSubrange(0..<6, with: [0x48, 0x45, 0x4e, 0x31, UInt8(HN_VERSION), 0]) }
                // Not SEAL: a good header entitles to it. BIND has its turn below: after one that failed nothing starts.
                if length >= 8, bytes[6] == 8 || bytes[6] == 2 { bytes[6] = 80 }
                try sandbox.send(bytes)
                try sandbox.drain()
            }
            try sandbox.runTrue()
            let null = try Files.open("/dev/null", flags: O_RDWR)
            let good = try RawSandbox.spawnTrue()
            for round in 0..<1500 {
                var bytes = good
                for _ in 0..<Int.random(in: 1...4, using: &random) {
                    let at = Int.random(in: 6..<bytes.count, using: &random)
                    bytes[at] = [0, 1, 2, 4, 7, 0x7f, 0x80, 0xff].randomElement(using: &random) ?? 0
                }
                if bytes[6] == 8 || bytes[6] == 2, bytes[7] == 0 { bytes[6] = 4 }
                if Bool.random(using: &random) { bytes.removeLast(Int.random(in: 0...64, using: &random)) }
                let count = Int.random(in: 0..<3, using: &random) == 0 ? Int.random(in: 0...16, using: &random) : 0
                try sandbox.send(bytes, [Int32](repeating: null.rawValue, count: count))
                try sandbox.drain()
                if round % 300 == 0 { try sandbox.runTrue() }
            }
            // Longer than a request may be: passed over, not the end of it.
            try sandbox.send([UInt8](good.prefix(16)) + [UInt8](repeating: 1, count: Int(HP_MESSAGE_MAX.rawValue)))
            try sandbox.runTrue()
            for length in 16...300 {
                var bytes = random.bytes(length)
                bytes.replaceSubrange(0..<8, with: [0x48, 0x45, 0x4e, 0x31, UInt8(HN_VERSION), 0, 2, 0])
                let count = Int.random(in: 0...3, using: &random)
                try sandbox.send(bytes, [Int32](repeating: null.rawValue, count: count))
                try sandbox.drain()
            }
            do {
                try sandbox.runTrue()
                Issue.record("it starts programs without their code, seed \(random.seed)")
            } catch {
                #expect("\(error)".contains("asking a sealed sandbox"), "\(error)")
            }
            // 0 to 2, its socket, its signals, Landlock's rules.
            #expect(try Census.descriptors(of: sandbox.pid) <= 6, "seed \(random.seed)")
            try nursery.kill(sandbox)
        }
    }

    @Test func pid1RefusesFieldsOutOfRange() throws {
        try withRaw { nursery, image in
            let sandbox = try nursery.create(slot: 3, image: image)
            _ = try sandbox.next()
            let good = try RawSandbox.spawnTrue()
            let offsets: [(String, Int, UInt32)] = [
                ("flags", 12, 4), ("uid", 16, 65536), ("gid", 20, .max), ("argc", 32, 0), ("argc", 32, 1025),
                ("envc", 36, 1025), ("strings", 40, 98_305), ("strings", 40, .max), ("filter", 44, 3073),
                ("filter", 44, .max), ("rlimits", 48, 13), ("descriptors", 52, 1), ("descriptors", 52, 9),
            ]
            for (name, offset, value) in offsets {
                var bytes = good
                withUnsafeBytes(of: value) { bytes.replaceSubrange(offset..<offset + 4, with: $0) }
                try sandbox.send(bytes)
                let answer = try #require(try sandbox.next())
                #expect(answer.op == HP_FAILED.rawValue && answer.failed_op == HP_SPAWN.rawValue, "\(name)")
                #expect(answer.error == EINVAL && answer.stage == HN_STAGE_REQUEST.rawValue, "\(name) \(value)")
                #expect(answer.cookie == 0x77)
            }
            // A filter that the kernel does not accept is said, with its stage.
            var request = SpawnRequest(argv: ["/bin/true"])
            let program = try SeccompProgram(
                compiling: try SeccompProfile(parsing: "default errno EPERM\nallow read", name: "x"))
            request.filter = program
            var bytes = try request.encoded(descriptors: 0)
            for index in bytes.indices.suffix(8) { bytes[index] = 0xff }
            try sandbox.send(bytes)
            let answer = try #require(try sandbox.next())
            #expect(answer.op == HP_FAILED.rawValue && answer.stage == HN_STAGE_FILTER.rawValue)
            try sandbox.runTrue()
            try nursery.kill(sandbox)
        }
    }

    /// A filter that could not be installed: nothing that counts on it is started.
    @Test func withoutItsFilterItStartsNothing() throws {
        try withRaw { nursery, image in
            let sandbox = try nursery.create(slot: 4, image: image)
            _ = try sandbox.next()
            for (count, length) in [(UInt32(0), 0), (2, 8), (1, 8)] {
                var message = hp_message()
                message.magic = UInt32(HN_MAGIC)
                message.version = UInt16(HN_VERSION)
                message.op = UInt16(HP_FILTER.rawValue)
                message.filter_count = count
                try sandbox.send(withUnsafeBytes(of: &message) { Array($0) } + [UInt8](repeating: 0xff, count: length))
                let answer = try #require(try sandbox.next())
                #expect(answer.op == HP_FAILED.rawValue && answer.failed_op == HP_FILTER.rawValue, "\(count)")
                // The last is one that the kernel refuses.
                if count != 1 { try sandbox.runTrue() }
            }
            #expect(throws: (any Error).self) { try sandbox.runTrue() }
            try nursery.kill(sandbox)
        }
    }

    /// A hearthd that dies leaves its sandboxes to the next one, with what it wanted kept.
    @Test func sandboxesAreHandedToTheNextHearthd() throws {
        try withRaw { nursery, image in
            let sandbox = try nursery.create(slot: 11, image: image)
            var keep = NurseryClient.request(HN_KEEP)
            keep.sandbox = 12
            keep.slot = 11
            keep.tag.0 = 42
            let note = try MemoryFile.empty(name: "kept")
            try Message.writeAll(note.rawValue, Array("kept".utf8))
            #expect(try nursery.ask(keep, [note.rawValue]).0.error == 0)
            try nursery.reconnect()
            try nursery.send(NurseryClient.request(HN_LIST))
            let (entry, fds) = try #require(
                try RawNursery.receive(nursery.connection.rawValue, as: hn_reply(), within: 30_000))
            #expect(entry.more == 1 && entry.sandbox == 12 && entry.slot == 11 && entry.pid == sandbox.pid)
            #expect(entry.image == image && entry.tag.0 == 42 && entry.tag.1 == 0)
            try #require(fds.count == 3)
            let last = try #require(
                try RawNursery.receive(nursery.connection.rawValue, as: hn_reply(), within: 30_000))
            #expect(last.0.more == 0 && last.0.error == 0)
            #expect(try TestFiles.link("/proc/self/fd/\(fds[2].rawValue)").hasPrefix("/memfd:kept"))
            // The handed-over end is the same socket: PID 1 answers on it.
            let again = RawSandbox(slot: 11, pid: entry.pid, control: fds[1], cgroup: sandbox.cgroup)
            try again.runTrue()
            try nursery.kill(again)
        }
    }

    @Test func withoutAHearthdTheNurseryEndsInTime() throws {
        let nursery = try RawNursery(linger: 1)
        let image = try nursery.prepareHost()
        let sandbox = try nursery.create(slot: 1, image: image)
        try sandbox.runTrue()
        let pid1 = try Linux.Process(opening: sandbox.pid)
        let start = monotonicNow()
        try nursery.disconnect()
        #expect(try nursery.process.wait(timeout: 30_000_000_000) == .status(0))
        #expect(monotonicNow() - start > 900_000_000)
        var entry = pollfd(fd: pid1.pidfd.rawValue, events: Int16(POLLIN), revents: 0)
        #expect(poll(&entry, 1, 2000) == 1, "PID 1 outlived the nursery")
        try nursery.stop()
    }
}
