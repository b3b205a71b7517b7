import Glibc
import Linux
import Testing

@testable import CreateBench

/// The floor must do the work it is the measure of: programs that look at the sandbox from inside check it.
@Suite("hearth-floor", .serialized, .enabled(if: geteuid() == 0, "needs root"))
struct FloorTests {
    /// The build directory, where the products and the test bundle are.
    private let products: String

    init() throws {
        products = try #require(productsDirectory(), "the directory of the test bundle")
    }

    private func floor(_ binary: String, _ arguments: String...) -> HelperSubject {
        HelperSubject(
            name: "floor", argv: [products + "/hearth-floor", "serve", "--binary", binary] + arguments)
    }

    @Test("it creates sandboxes, and leaves no cgroup behind", arguments: ["new", "premade"])
    func creates(netns: String) async throws {
        let subject = floor(products + "/hearth-stamp", "--netns", netns, "--cgroup", "timed")
        try await subject.prepare()
        for _ in 0..<3 {
            let nanoseconds = try await subject.create()
            #expect(nanoseconds > 50_000, "less than a fork costs: no sandbox was made")
        }
        #expect(try floorCgroups().count >= 1)
        await subject.teardown()
        #expect(try leftCgroups() == [])
    }

    /// A condition that holds in a sandbox, in the words of sh.
    @Test(
        "inside it",
        arguments: [
            #"test "$$" = 1"#,  // the program is PID 1 of its namespace
            #"test "$(id -u):$(id -g)" = 1000:1000"#,
            #"read -r first host count < /proc/self/uid_map; test "$first" = 0 -a "$host" -ge 1048576 -a "$count" = 65536"#,
            #"grep -q '^CapBnd:[[:space:]]*0*$' /proc/self/status"#,
            #"grep -q '^CapPrm:[[:space:]]*0*$' /proc/self/status"#,
            #"grep -q '^NoNewPrivs:[[:space:]]*1$' /proc/self/status"#,
            #"grep -q '^Seccomp:[[:space:]]*2$' /proc/self/status"#,
            #"test "$(cat /proc/sys/kernel/hostname)" = sandbox"#,
            #"test "$(grep -c : /proc/net/dev)" = 1"#,  // the loopback device alone
            #"test "$(sed -n 's/^0:://p' /proc/self/cgroup)" = /"#,
            #"touch /tmp/x /dev/shm/x && echo x > /dev/null"#,
            #"! touch /x 2> /dev/null && ! touch /usr/x 2> /dev/null && ! touch /dev/x 2> /dev/null"#,
            #"test ! -e /root -a ! -e /home -a ! -e /etc/passwd"#,
            #"grep -q '^[0-9]* [0-9]* [0-9:]* / / ro,nosuid,nodev,' /proc/self/mountinfo"#,
            // image, usr, dev, proc, tmp, shm: nothing of the host is left
            #"test "$(grep -c . /proc/self/mountinfo)" = 6"#,
            #"test "$(ls /proc/self/fd | wc -l)" -le 4"#,
        ])
    func inside(condition: String) async throws {
        let path = "/tmp/hearth-floor-test.\(getpid()).sh"
        // The stamp is 1 ns after the clock's start, so the figure itself is negative and means nothing here.
        let stamp = #"printf '\377\377\377\377\377\377\377\177'"#
        try Files.write(Array("#!/bin/sh\n{ \(condition); } && \(stamp)\n".utf8), to: path, mode: 0o755)
        defer { try? Files.unlink(path) }
        let subject = floor(path)
        try await subject.prepare()
        let outcome: Result<Int64, BenchError>
        do { outcome = .success(try await subject.create()) } catch { outcome = .failure(error) }
        await subject.teardown()
        if case .failure = outcome { Issue.record("does not hold in the sandbox: \(condition)") }
    }

    @Test("a condition that does not hold is seen: the test above can fail")
    func control() async throws {
        let path = "/tmp/hearth-floor-test.\(getpid()).control.sh"
        try Files.write(Array("#!/bin/sh\ntest \"$(id -u)\" = 0 && printf 12345678\n".utf8), to: path, mode: 0o755)
        defer { try? Files.unlink(path) }
        let subject = floor(path)
        try await subject.prepare()
        await #expect(throws: BenchError.self) { _ = try await subject.create() }
        await subject.teardown()
    }

    @Test("churn counts what it made and leaves no cgroup", arguments: ["ahead", "reused"])
    func churn(cgroup: String) throws {
        let (output, exit) = try run(
            ["churn", "--binary", products + "/hearth-stamp", "--seconds", "1", "--parallel", "2", "--json"]
                + ["--cgroup", cgroup])
        #expect(exit == .status(0))
        #expect(output.contains(#""bench":"churn""#))
        #expect(output.firstMatch(of: /"n":([0-9]+)/).flatMap { Int($0.1) } ?? 0 > 5)
        #expect(try leftCgroups() == [])
    }

    @Test(
        "bad arguments are refused with a word about them, and nothing is made",
        arguments: [
            [], ["dance"], ["create"], ["create", "--n", "0", "--binary", "/bin/true"],
            ["create", "--binary", "/nonexistent"], ["create", "--netns", "old"], ["create", "--cgroup", "never"],
            ["spawn"], ["relay"], ["relay", "--socket", String(repeating: "x", count: 200)], ["serve", "more"],
        ])
    func refuses(arguments: [String]) throws {
        let (output, exit) = try run(arguments, errors: true)
        #expect(exit == .status(1) || exit == .status(2))
        #expect(output.hasPrefix("hearth-floor: "))
        #expect(output.contains(";") || output.contains("must be"), "a remedy")
        #expect(try leftCgroups() == [])
    }

    @Test("the relay gives back what it gets, to several clients, and takes its socket with it")
    func relay() throws {
        let path = "/tmp/hearth-relay-test.\(getpid()).sock"
        let output = try DescriptorPair.pipe()
        let process = try Linux.Process.spawn(
            [products + "/hearth-floor", "relay", "--socket", path], environment: [],
            descriptors: [STDIN_FILENO, output.second.rawValue, STDERR_FILENO])
        var line = [UInt8](repeating: 0, count: 10)
        #expect(read(output.first.rawValue, &line, line.count) == 10)
        #expect(String(decoding: line, as: UTF8.self) == "listening\n")
        let first = try UnixSocket.connect(path: path, kind: .stream)
        let second = try UnixSocket.connect(path: path, kind: .stream)
        for round in 0..<50 {
            for (client, letter) in [(first.rawValue, UInt8(round)), (second.rawValue, UInt8(200 - round))] {
                let message = [UInt8](repeating: letter, count: 64)
                // In two parts: a stream keeps no boundaries.
                try Message.writeAll(client, Array(message[..<10]))
                try Message.writeAll(client, Array(message[10...]))
                var echo = [UInt8](repeating: 0, count: 64)
                #expect(recv(client, &echo, 64, Int32(truncatingIfNeeded: MSG_WAITALL)) == 64)
                #expect(echo == message)
            }
        }
        try process.signal(SIGTERM)
        #expect(try process.wait(timeout: 30_000_000_000) == .signal(SIGTERM))
        #expect(!Files.exists(path))
    }

    /// Runs hearth-floor to its end; gives its stdout, or its stderr.
    private func run(_ arguments: [String], errors: Bool = false) throws -> (String, Linux.Process.Exit?) {
        let pipe = try DescriptorPair.pipe().take()
        let reader = OwnedFD(owning: pipe.first)
        let writer = OwnedFD(owning: pipe.second)
        let process = try Linux.Process.spawn(
            [products + "/hearth-floor"] + arguments, environment: [],
            descriptors: [
                STDIN_FILENO, errors ? STDOUT_FILENO : writer.rawValue, errors ? writer.rawValue : STDERR_FILENO,
            ])
        _ = consume writer
        let text = String(decoding: try Files.readAll(reader, limit: 1 << 16), as: UTF8.self)
        return (text, try process.wait(timeout: 30_000_000_000))
    }

    /// Those whose process is gone: another suite may run the program at the same time.
    private func leftCgroups() throws -> [String] {
        try floorCgroups().filter { name in
            let pid = name.split(separator: ".").last ?? ""
            return (try? Files.readText("/proc/\(pid)/comm")) != "hearth-floor\n"
        }
    }

    private func floorCgroups() throws -> [String] {
        let mountPoint = try #require(try Cgroup.mountPoint())
        let own = try Cgroup.ownPath()
        return try Files.list(mountPoint + own).filter { $0.hasPrefix("hearth-floor.") }
    }
}

/// Where this test's own executable or bundle lies.
private func productsDirectory() -> String? {
    guard let maps = try? Files.readText("/proc/self/maps", limit: 1 << 24),
        let line = maps.split(separator: "\n").first(where: { $0.hasSuffix("Tests.xctest") }),
        let start = line.firstIndex(of: "/"), let end = line.lastIndex(of: "/")
    else { return nil }
    return String(line[start..<end])
}
