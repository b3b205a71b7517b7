import Glibc
import Linux
import SandboxTestSupport
import Synchronization

@testable import Sandbox

/// A program of Tests/EscapeTests/attacks, compiled once, and what it said of each attempt.
enum Attack {
    /// What became of each attempt: "ok", an errno's name, a signal's.
    typealias Outcomes = [String: String]

    /// The compiled programs; removed when the process ends.
    private static let directory = Mutex<String?>(nil)

    /// The path of a compiled program.
    static func program(_ name: String) throws -> String {
        try directory.withLock { known in
            let place: String
            if let known {
                place = known
            } else {
                place = try TestFiles.temporaryDirectory()
                known = place
                atexit { Attack.forget() }
            }
            let path = place + "/" + name
            guard !Files.exists(path) else { return path }
            let source = try TestFiles.repository("Tests/EscapeTests/attacks/\(name).c")
            let exit = try Host.run(
                ["/usr/bin/gcc", "-O1", "-Wall", "-Wextra", "-Werror", "-static", "-pthread", "-o", path, source])
            guard exit.exit == .status(0) else { throw TestFailure("gcc: \(exit.text)") }
            guard chmod(path, 0o755) == 0 else { throw Errno.current }
            return path
        }
    }

    private static func forget() {
        directory.withLock { if let path = $0 { try? Files.removeTree(path) } }
    }

    static func parse(_ text: String) -> Outcomes {
        var outcomes: Outcomes = [:]
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ", maxSplits: 1)
            if words.count == 2 { outcomes[String(words[0])] = String(words[1]) }
        }
        return outcomes
    }

    /// The attack where it works: as root of the node, in namespaces of its own so that the node is not harmed.
    static func control(_ name: String, _ arguments: [String], prepare: String = ":") throws -> Outcomes {
        let output = try Host.isolated("\(prepare); exec \"$0\" \"$@\"", [try program(name)] + arguments)
        return parse(output.text)
    }
}

/// Programs of the node itself.
enum Host {
    /// Runs to the end, both outputs together.
    static func run(
        _ argv: [String], within seconds: Double = 60
    ) throws -> (exit: Linux.Process.Exit, text: String) {
        let output = try MemoryFile.empty(name: "host")
        let null = try Files.open("/dev/null", flags: O_RDWR)
        let process = try Linux.Process.spawn(
            argv, environment: ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"],
            descriptors: [null.rawValue, output.rawValue, output.rawValue], newSession: true)
        guard let exit = try process.wait(timeout: Int64(seconds * 1e9)) else {
            try process.signal(SIGKILL)
            throw TestFailure("\(argv.prefix(3)) did not end within \(seconds) s")
        }
        _ = lseek(output.rawValue, 0, SEEK_SET)
        return (exit, String(decoding: try Files.readAll(output, limit: 16 << 20), as: UTF8.self))
    }

    /// A shell script as root in new mount, PID, IPC, UTS, network and cgroup namespaces; what it starts ends with it.
    static func isolated(
        _ script: String, _ arguments: [String] = []
    ) throws -> (exit: Linux.Process.Exit, text: String) {
        try run(
            ["/usr/bin/unshare", "-m", "-p", "-f", "-i", "-u", "-n", "-C", "--mount-proc", "--kill-child"]
                + ["/bin/sh", "-c", "mount -t tmpfs none /tmp.escape 2>/dev/null; ip link set lo up; " + script]
                + arguments)
    }
}

extension TestNode {
    /// Puts a program of the attacks where `attack` binds it.
    func install(_ name: String) throws -> String {
        let place = directory + "/code/" + name
        if !Files.exists(place) {
            try Files.makeDirectories(place)
            let bytes = try Files.readAll(try Files.open(try Attack.program(name), flags: O_RDONLY), limit: 64 << 20)
            try Files.write(bytes, to: place + "/" + name)
            guard chmod(place + "/" + name, 0o755) == 0 else { throw Errno.current }
        }
        return place + "/" + name
    }

    /// A sandbox with a program of the attacks at /var/task.
    func armed(_ name: String, _ change: (inout SandboxSpec) -> Void = { _ in }) async throws -> TestSandbox {
        _ = try install(name)
        let sandbox = try create(change)
        try sandbox.sandbox.bind(try await code(name), at: "/var/task")
        return sandbox
    }

    /// The attack from within: under the shipped filter, as an ordinary user or as the sandbox's own root.
    func attack(
        _ name: String, _ arguments: [String], uid: UInt32 = 1000, terminals: Bool = false, filtered: Bool = true
    ) async throws -> Attack.Outcomes {
        let sandbox = try await armed(name) { $0.terminals = terminals }
        let outcomes = try await sandbox.attack(name, arguments, uid: uid, filtered: filtered)
        try await sandbox.end()
        return outcomes
    }
}

extension TestSandbox {
    func attack(
        _ name: String, _ arguments: [String], uid: UInt32 = 1000, filtered: Bool = true, within seconds: Double = 30
    ) async throws -> Attack.Outcomes {
        let filter = try SeccompProgram(compiling: try TestFiles.defaultProfile()).compacted()
        let request: (inout SpawnRequest) -> Void = {
            $0.filter = filtered ? filter : nil
            $0.uid = uid
            $0.gid = uid
            $0.directory = "/tmp"
            $0.rlimits = Hardened.limits
        }
        let output = try await run(["/var/task/" + name] + arguments, request, within: seconds)
        guard output.exit == .status(0) else {
            throw TestFailure("\(name) \(arguments): \(output.exit) \(output.errors)")
        }
        return Attack.parse(output.text)
    }
}

/// The limits that the agent sets (SandboxEnvironment.resourceLimits).
enum Hardened {
    static let limits = [
        ResourceLimit(.core, 0), ResourceLimit(.lockedMemory, 0), ResourceLimit(.messageQueues, 0),
        ResourceLimit(.nice, 0), ResourceLimit(.realTimePriority, 0), ResourceLimit(.openFiles, 1024),
        ResourceLimit(.pendingSignals, 1024), ResourceLimit(.processes, 64),
    ]
}
