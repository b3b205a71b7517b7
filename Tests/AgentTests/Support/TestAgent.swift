import Glibc
package import HearthClient
package import Linux
import Synchronization

/// A real hearthd of a test's own, in temporary directories. `stop` ends it and looks at what it leaves.
package final class TestAgent: Sendable {
    package let scratch: ScratchDirectory
    /// The state directory; outlives the agent only when a test starts a second one on it.
    package let state: String
    package let socket: String
    package let pid: Int32
    /// Its nursery, and the group of the nursery's agent below the v2 mount.
    package let nursery: Int32
    package let cgroup: String
    private let process: Linux.Process
    private let exit = Mutex<Linux.Process.Exit?>(nil)

    /// The agent that the suite's trait has started for the test that runs.
    @TaskLocal package static var current: TestAgent?

    package static func shared() throws -> TestAgent {
        guard let current else { throw TestFailure("no agent: the suite lacks the trait .sharedAgent") }
        return current
    }

    /// Starts an agent and waits until it answers.
    /// - Parameters:
    ///   - configuration: lines of its YAML file.
    ///   - scratch: the directory of an earlier agent, to start on what that left.
    ///   - state: the state directory, if it is to lie elsewhere.
    ///   - environment: variables beside PATH.
    package init(
        configuration: String = "", scratch: ScratchDirectory? = nil, state: String? = nil, seconds: Double = 20,
        environment: [String] = []
    ) throws {
        let scratch = try scratch ?? ScratchDirectory()
        self.scratch = scratch
        self.state = state ?? scratch.path + "/state"
        socket = scratch.path + "/a.sock"
        let file = try scratch.write(Self.withoutForesight(configuration), to: "hearthd.yaml")
        let log = try Files.open(scratch.path + "/log", flags: O_WRONLY | O_CREAT | O_APPEND, mode: 0o600)
        let null = try Files.open("/dev/null", flags: O_RDWR)
        process = try Linux.Process.spawn(
            [
                try BuildProducts.executable("hearthd"), "--config", file, "--socket", socket, "--state", self.state,
                "--share", try BuildProducts.repository("rootfs-tools"),
                "--nursery", try BuildProducts.executable("hearth-nursery"),
            ], environment: ["PATH=/usr/bin:/bin"] + environment,
            descriptors: [null.rawValue, log.rawValue, log.rawValue])
        withExtendedLifetime(log) {}
        withExtendedLifetime(null) {}
        pid = process.pid
        do {
            try Self.waitUntilReady(process, socket, seconds)
            nursery = try Self.nursery(of: self.state)
            cgroup = try Self.group(of: nursery)
        } catch {
            try? process.signal(SIGKILL)
            _ = try? process.wait(timeout: 5_000_000_000)
            throw TestFailure("\(error); its log: \((try? Files.readText(scratch.path + "/log")) ?? "")")
        }
    }

    /// What nobody asked for must not start sandboxes in tests that count them: prediction and code analysis are off where a
    /// test does not name them.
    private static func withoutForesight(_ configuration: String) -> String {
        var lines = configuration.hasSuffix("\n") || configuration.isEmpty ? configuration : configuration + "\n"
        for key in ["prediction", "analyze"] where !configuration.contains(key + ":") { lines += key + ": off\n" }
        return lines
    }

    private static func waitUntilReady(
        _ process: borrowing Linux.Process, _ socket: String, _ seconds: Double
    ) throws {
        let end = now() + Int64(seconds * 1e9)
        while true {
            if let client = try? HearthClient(socketPath: socket), (try? client.info()) != nil { return }
            if let exit = try process.reap() { throw TestFailure("hearthd ended at once: \(exit)") }
            guard now() < end else { throw TestFailure("hearthd was not ready after \(seconds) s") }
            usleep(5000)
        }
    }

    private static func group(of nursery: Int32) throws -> String {
        let mounts = try MountTable.current()
        guard let mount = mounts.entries.first(where: { $0.fileSystem == "cgroup2" })?.mountPoint else {
            throw TestFailure("no cgroup v2 hierarchy is mounted")
        }
        for line in try Files.readText("/proc/\(nursery)/cgroup").split(separator: "\n") where line.hasPrefix("0::") {
            let path = mount + line.dropFirst(3)
            guard path.hasSuffix("/nursery"), path.contains("/hearth-") else { break }
            return String(path.dropLast("/nursery".count))
        }
        throw TestFailure("the nursery is in no group of hearthd's")
    }

    package var log: String { (try? Files.readText(scratch.path + "/log", limit: 64 << 20)) ?? "" }

    /// A connection; for the thread that makes it.
    package func client() throws -> HearthClient { try HearthClient(socketPath: socket) }

    // MARK: The end

    package func signal(_ number: Int32) throws { try process.signal(number) }

    /// Waits for hearthd's end and reaps it.
    package func waitForEnd(within seconds: Double = patience) throws -> Linux.Process.Exit {
        let known = exit.withLock { $0 }
        if let known { return known }
        guard let ended = try process.wait(timeout: Int64(seconds * 1e9)) else {
            throw TestFailure("hearthd \(pid) had not ended after \(seconds) s; its log: \(log.suffix(4000))")
        }
        exit.withLock { $0 = ended }
        return ended
    }

    /// Ends the agent with SIGTERM; everything that is wrong about how it ended and what it left.
    package func stop() -> [String] {
        do {
            try process.signal(SIGTERM)
            let exit = try waitForEnd()
            var problems = try leftovers()
            if exit != .status(0) { problems.append("hearthd ended with \(exit); its log: \(log.suffix(4000))") }
            return problems
        } catch {
            try? process.signal(SIGKILL)
            return ["\(error)"]
        }
    }
}
