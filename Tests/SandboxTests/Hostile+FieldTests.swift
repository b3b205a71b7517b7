import Foundation
import Glibc
import Linux
import NurseryABI
import SandboxTestSupport
import Testing

@testable import Sandbox

/// Every field of a request, one at a time and several at once, with every value worth trying: each request has exactly one answer,
/// a refusal or what was honestly asked for, and what was made can be ended.
extension SandboxTests.Hostile {
    private struct Field {
        let name: String
        let offset: Int
        let size: Int
    }

    private static let fields: [Field] = {
        func at(_ name: String, _ path: PartialKeyPath<hn_request>, _ size: Int) -> Field {
            Field(name: name, offset: MemoryLayout<hn_request>.offset(of: path) ?? 0, size: size)
        }
        return [
            at("magic", \.magic, 4), at("version", \.version, 2), at("op", \.op, 2), at("sandbox", \.sandbox, 8),
            at("tmp_bytes", \.tmp_bytes, 8), at("shm_bytes", \.shm_bytes, 8), at("capabilities", \.capabilities, 8),
            at("slot", \.slot, 4), at("image", \.image, 4), at("flags", \.flags, 4),
            at("tmp_inodes", \.tmp_inodes, 4), at("image_kind", \.image_kind, 4), at("fault", \.fault, 4),
            at("name", \.name, 72), at("hostname", \.hostname, 64), at("tag", \.tag, 64),
        ]
    }()

    private static func values(_ field: Field, _ random: inout SeededGenerator) -> [[UInt8]] {
        let size = field.size
        guard size <= 8 else {
            var cut = [UInt8](repeating: 97, count: size)
            cut[size - 1] = 0
            return [
                [UInt8](repeating: 0, count: size), [UInt8](repeating: 97, count: size), cut,
                [UInt8](repeating: 255, count: size), Array("../../etc".utf8) + [UInt8](repeating: 0, count: size - 9),
                random.bytes(size),
            ]
        }
        let bits = size * 8
        let largest: UInt64 = bits == 64 ? .max : (1 << UInt64(bits)) - 1
        let numbers: [UInt64] = [
            0, 1, 2, largest, largest >> 1, (largest >> 1) + 1, 1 << UInt64(bits - 9), random.next(),
        ]
        return numbers.map { number in (0..<size).map { UInt8(truncatingIfNeeded: number >> UInt64(8 * $0)) } }
    }

    @Test func everyFieldIsRefusedOrSane() throws {
        try withRaw { nursery, image in
            var random = SeededGenerator()
            let cgroup = try nursery.group("fields")
            let pair = try DescriptorPair.socket(.sequencedPacket)
            let fds = [pair.first.rawValue, pair.second.rawValue, cgroup.directory.rawValue]
            let before = try nursery.descriptorsAtRest()
            var asked = 0
            for op in [HN_HELLO, HN_IMAGE, HN_CREATE, HN_TREE, HN_KILL, HN_KEEP] {
                for field in Self.fields {
                    for value in Self.values(field, &random) {
                        var request = RawNursery.creation(slot: 9, image: image)
                        request.op = UInt16(op.rawValue)
                        try FixedText.store("host", in: &request.name, what: "name")
                        request.image_kind = HN_IMAGE_HOST.rawValue
                        withUnsafeMutableBytes(of: &request) {
                            $0.baseAddress?.advanced(by: field.offset).copyMemory(from: value, byteCount: field.size)
                        }
                        // These two entitle to what they say: a list has many answers, and then there is no nursery.
                        if request.op == HN_SHUTDOWN.rawValue || request.op == HN_LIST.rawValue { continue }
                        let (reply, _) = try nursery.ask(request, op == HN_CREATE ? fds : [])
                        asked += 1
                        let what = "\(field.name) = \(value.prefix(8)) in op \(op.rawValue), seed \(random.seed)"
                        guard reply.error == 0 else {
                            #expect(reply.stage != 0, "\(what): a refusal without a stage")
                            continue
                        }
                        if request.op == HN_CREATE.rawValue {
                            #expect(request.slot < HN_MAX_SANDBOXES.rawValue && request.sandbox != 0, "\(what)")
                            #expect(request.capabilities >> 41 == 0 && request.flags <= 1, "\(what)")
                            try expectIDs(of: reply.pid, slot: request.slot, what)
                            request.op = UInt16(HN_KILL.rawValue)
                            #expect(try nursery.ask(request).0.error == 0, "\(what)")
                            try eventuallyEmpty(nursery, what)
                        }
                    }
                }
            }
            #expect(asked > 500)
            // Images that were prepared by chance stay prepared; nothing else may.
            var after = 0
            for _ in 0..<200 {
                after = try Census.descriptors(of: nursery.process.pid)
                if after <= before + 4 { break }
                usleep(10_000)
            }
            #expect(after <= before + 4, "descriptors \(before) -> \(after), seed \(random.seed)")
        }
    }

    /// Whatever was asked, PID 1 is none of the host's users.
    private func expectIDs(of pid: Int32, slot: UInt32, _ what: String) throws {
        guard let map = try? Files.readText("/proc/\(pid)/uid_map") else { return }
        let numbers = map.split(whereSeparator: \.isWhitespace).compactMap { UInt64($0) }
        guard !numbers.isEmpty else { return }
        #expect(numbers == [0, 0x7000_0000 + UInt64(slot) * 65536, 65536], "\(what)")
    }

    private func eventuallyEmpty(_ nursery: RawNursery, _ what: String) throws {
        for _ in 0..<1000 {
            if try nursery.ask(NurseryClient.request(HN_HELLO)).0.more == 0 { return }
            usleep(2000)
        }
        Issue.record("a sandbox did not end: \(what)")
    }

    /// The socket's mode lets nobody in; and were it open, the nursery would look at who comes.
    @Test func onlyRootAndHearthdMayConnect() throws {
        try withRaw { nursery, _ in
            let path = nursery.configuration.socket
            guard chmod(nursery.directory, 0o755) == 0 else { throw Errno.current }
            var status = stat()
            #expect(stat(path, &status) == 0 && status.st_mode & 0o777 == 0o600)
            #expect(try answer(to: 61_999, at: path) == "EACCES")
            guard chmod(path, 0o666) == 0 else { throw Errno.current }
            // It serves one at a time.
            try nursery.disconnect()
            #expect(try answer(to: 61_999, at: path) == "closed")
            #expect(try answer(to: 0, at: path) == "answered")
            try nursery.reconnect()
        }
        try withRaw(user: 61_998) { nursery, _ in
            let path = nursery.configuration.socket
            guard chmod(nursery.directory, 0o755) == 0, chmod(path, 0o666) == 0 else { throw Errno.current }
            try nursery.disconnect()
            #expect(try answer(to: 61_999, at: path) == "closed")
            #expect(try answer(to: 61_998, at: path) == "answered")
            try nursery.reconnect()
        }
    }

    /// What a process of another user gets to HELLO.
    private func answer(to uid: UInt32, at path: String) throws -> String {
        let program = """
            import errno, socket, struct, sys
            s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            s.settimeout(10)
            try:
                s.connect(sys.argv[1])
                s.send(struct.pack("<IHHQ", 0x314e4548, \(HN_VERSION), 1, 5).ljust(\(MemoryLayout<hn_request>.size), b"\\0"))
                print("answered" if len(s.recv(1000)) > 0 else "closed")
            except (ConnectionResetError, BrokenPipeError): print("closed")
            except OSError as error: print(errno.errorcode[error.errno])
            """
        let pipe = try DescriptorPair.pipe()
        let null = try Files.open("/dev/null", flags: O_RDWR)
        let child = try Linux.Process.spawn(
            [
                "/usr/bin/setpriv", "--reuid=\(uid)", "--regid=\(uid)", "--clear-groups", "/usr/bin/python3", "-c",
                program, path,
            ],
            environment: ["PATH=/usr/bin:/bin"], descriptors: [null.rawValue, pipe.second.rawValue, 2])
        guard try child.wait(timeout: 20_000_000_000) != nil else {
            try child.signal(SIGKILL)
            throw TestFailure("the child does not end")
        }
        var buffer = [UInt8](repeating: 0, count: 100)
        let reader = pipe.first.rawValue
        let count = try systemCall { buffer.withUnsafeMutableBytes { read(reader, $0.baseAddress, 100) } }
        return String(decoding: buffer.prefix(count), as: UTF8.self).trimmingCharacters(in: .newlines)
    }
}
