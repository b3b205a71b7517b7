import Glibc
import Testing

@testable import Linux

@Suite struct ProcessTests {
    /// Runs a shell and returns what it wrote to its descriptor 1.
    private func shell(
        _ script: String, descriptors: (Int32, Int32) -> [Int32] = { [$0, $1, 2] },
        environment: [String] = ["PATH=/usr/bin:/bin"]
    ) throws -> (Process.Exit?, String) {
        let output = try MemoryFile.empty(name: "out")
        let null = try Files.open("/dev/null", flags: O_RDWR)
        let process = try Process.spawn(
            ["/bin/sh", "-c", script], environment: environment,
            descriptors: descriptors(null.rawValue, output.rawValue))
        let exit = try process.wait(timeout: 20_000_000_000)
        _ = lseek(output.rawValue, 0, SEEK_SET)
        return (exit, String(decoding: try Files.readAll(output, limit: 1 << 20), as: UTF8.self))
    }

    @Test func reportsStatusAndSignal() throws {
        #expect(try shell("exit 0").0 == .status(0))
        #expect(try shell("exit 255").0 == .status(255))
        #expect(try shell("kill -9 $$").0 == .signal(SIGKILL))
    }

    @Test func hasExactlyTheDescriptorsAndVariablesGiven() throws {
        #expect(try shell("ls /proc/self/fd", descriptors: { [$0, $1, $0] }).1 == "0\n1\n2\n3\n")
        #expect(try shell("ls /proc/self/fd", descriptors: { [$0, $1, $0, $0, $0] }).1 == "0\n1\n2\n3\n4\n5\n")
        #expect(
            try shell("/usr/bin/env", environment: ["A=b c", "D="]).1.split(separator: "\n").sorted().contains("A=b c"))
    }

    /// The sources are themselves numbers that others are to become: 0, 1, 2 swapped and doubled.
    @Test func mapsDescriptorsThatOverlapTheirTargets() throws {
        var files: [SharedFD] = []
        for index in 0..<6 {
            let file = try MemoryFile.empty(name: "f\(index)")
            try Message.writeAll(file.rawValue, Array("\(index)".utf8))
            files.append(SharedFD(file))
        }
        // The program answers over its 0 and 1: then its loader has closed what it had open.
        let pair = try DescriptorPair.socket(.stream)
        let (ours, theirs) = (pair.first.rawValue, pair.second.rawValue)
        // Our own 0, 1 and 2 are sources of 6, 7 and 8, while other files become 0, 1 and 2.
        let process = try Process.spawn(
            ["/bin/cat"], environment: [],
            descriptors: [theirs, theirs] + [files[5], files[0], files[3], files[3]].map(\.rawValue) + [2, 1, 0])
        func link(_ owner: String, _ fd: Int) -> String {
            var buffer = [UInt8](repeating: 0, count: 256)
            let count = readlink("/proc/\(owner)/fd/\(fd)", &buffer, 256)
            return String(decoding: buffer.prefix(max(count, 0)), as: UTF8.self)
        }
        let child = "\(process.pid)"
        #expect((2..<6).map { link(child, $0).prefix(9) } == ["/memfd:f5", "/memfd:f0", "/memfd:f3", "/memfd:f3"])
        #expect((6..<9).map { link(child, $0) } == [link("self", 2), link("self", 1), link("self", 0)])
        try Message.writeAll(ours, Array("?".utf8))
        var answer = pollfd(fd: ours, events: Int16(POLLIN), revents: 0)
        #expect(poll(&answer, 1, 60_000) == 1)
        let open = try Files.list("/proc/\(child)/fd")
        #expect(open == (0..<9).map { "\($0)" }, "\(open.map { "\($0): \(link(child, Int($0) ?? -1))" })")
        try process.signal(SIGKILL)
        #expect(try process.wait(timeout: 20_000_000_000) == .signal(SIGKILL))
    }

    @Test func failuresOfExecCarryItsError() throws {
        #expect(throws: Errno.noEntry) { _ = try Process.spawn(["/nonexistent"], environment: [], descriptors: []) }
        #expect(throws: Errno.permissionDenied) { _ = try Process.spawn(["/etc"], environment: [], descriptors: []) }
        let directory = try TemporaryDirectory()
        try Files.write(Array("nothing".utf8), to: directory.path + "/x", mode: 0o755)
        #expect(throws: Errno(rawValue: ENOEXEC)) {
            _ = try Process.spawn([directory.path + "/x"], environment: [], descriptors: [0, 1, 2])
        }
        #expect(throws: Errno(rawValue: EBADF)) {
            _ = try Process.spawn(["/bin/true"], environment: [], descriptors: [0, 1, 123_456])
        }
        #expect(throws: Errno.invalidArgument) {
            _ = try Process.spawn(["/bin/true"], environment: [], descriptors: [Int32](repeating: 0, count: 17))
        }
    }

    @Test func startsWithFreshSignals() throws {
        let status = try shell("cat /proc/self/status").1
        #expect(status.contains("SigBlk:\t0000000000000000"))
        #expect(status.contains("SigCgt:\t0000000000000000"))
        // SIGPIPE, which servers ignore, is number 13: bit 12.
        let ignored = try #require(
            status.split(separator: "\n").first { $0.hasPrefix("SigIgn") }?.split(separator: "\t").last)
        #expect(try #require(UInt64(ignored, radix: 16)) & (1 << 12) == 0)
    }

    @Test func mayLeadASessionOfItsOwn() throws {
        let null = try Files.open("/dev/null", flags: O_RDWR)
        for (leads, expected) in [(true, true), (false, false)] {
            let process = try Process.spawn(
                ["/bin/sleep", "100"], environment: [], descriptors: [null.rawValue], newSession: leads)
            #expect((getsid(process.pid) == process.pid) == expected)
            try process.signal(SIGKILL)
            #expect(try process.wait(timeout: 30_000_000_000) == .signal(SIGKILL))
        }
    }

    @Test func waitingHasAnEndAndReapingIsOnce() throws {
        let null = try Files.open("/dev/null", flags: O_RDWR)
        let process = try Process.spawn(["/bin/sleep", "100"], environment: [], descriptors: [null.rawValue])
        let start = monotonicNow()
        #expect(try process.wait(timeout: 30_000_000) == nil)
        #expect(monotonicNow() - start >= 29_000_000)
        #expect(try process.reap() == nil)
        try process.signal(SIGTERM)
        #expect(try process.wait(timeout: 30_000_000_000) == .signal(SIGTERM))
        #expect(throws: Errno.noChild) { _ = try process.reap() }
        #expect(throws: Errno.noSuchProcess) { try process.signal(SIGTERM) }
    }

    @Test func namesAProcessWithoutOwningIt() throws {
        let this = try Process(opening: getpid())
        #expect(this.pid == getpid())
        #expect(throws: Errno.noChild) { _ = try this.reap() }
        #expect(throws: Errno.self) { _ = try Process(opening: -1) }
    }
}
