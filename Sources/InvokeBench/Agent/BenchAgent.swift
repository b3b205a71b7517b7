package import CreateBench
import Glibc
package import HearthClient
import Linux

/// An agent of the benchmark's own, in a temporary directory.
package final class BenchAgent {
    package let directory: String
    private let executables: String
    private let process: Linux.Process

    package var socket: String { directory + "/agent.sock" }
    package var pid: Int32 { process.pid }

    /// Starts hearthd and waits until it answers.
    ///
    /// - Parameters:
    ///   - executables: where hearthd and hearth-nursery are.
    ///   - configuration: lines of its YAML configuration.
    package init(executables: String, configuration: [String] = []) throws(BenchError) {
        var template = Array("/tmp/hearth-bench.XXXXXX".utf8CString)
        guard let made = mkdtemp(&template) else {
            throw .missing(program: "a directory in /tmp", remedy: "\(Errno.current)")
        }
        directory = String(cString: made)
        self.executables = executables
        let daemon = executables + "/hearthd"
        do throws(Errno) {
            let null = try Files.open("/dev/null", flags: O_RDWR)
            let log = try Files.open(directory + "/log", flags: O_WRONLY | O_CREAT, mode: 0o600)
            try Files.write(Array((configuration.joined(separator: "\n") + "\n").utf8), to: directory + "/config.yaml")
            process = try Linux.Process.spawn(
                [
                    daemon, "--config", directory + "/config.yaml", "--socket", directory + "/agent.sock",
                    "--state", directory + "/state",
                ],
                environment: ["PATH=/usr/local/bin:/usr/bin:/bin"],
                descriptors: [null.rawValue, log.rawValue, log.rawValue])
        } catch {
            throw .missing(program: daemon, remedy: "build it (make build): \(error)")
        }
        try waitUntilReady()
    }

    private func waitUntilReady() throws(BenchError) {
        for _ in 0..<600 {
            if (try? HearthClient(socketPath: socket)) != nil { return }
            if let exit = try? process.reap() {
                let log = (try? Files.readText(directory + "/log")) ?? ""
                throw .missing(program: "a running hearthd (it ended: \(exit))", remedy: log)
            }
            usleep(50_000)
        }
        throw .missing(program: "an answer of hearthd within 30 s", remedy: "see \(directory)/log")
    }

    package func connect() throws(BenchError) -> HearthClient {
        do throws(HearthClientError) {
            return try HearthClient(socketPath: socket)
        } catch {
            throw .agent(about: "hearthd", said: "\(error)")
        }
    }

    /// The nursery's pid: the one process of its executable whose parent is none, since each PID 1 is the nursery's image.
    package func nurseryPid() -> Int32? {
        let own = ProcessFacts.all().filter { $0.executable.hasPrefix(executables + "/hearth-nursery") }
        let pids = Set(own.map(\.pid))
        let mine = own.filter { $0.commandLine.contains(directory) }
        return mine.first { !pids.contains($0.parent) }?.pid
    }

    /// Stops the agent; its directory goes with it.
    package func stop() {
        try? process.signal(SIGTERM)
        if (try? process.wait(timeout: 60_000_000_000)) ?? nil == nil {
            try? process.signal(SIGKILL)
            _ = try? process.wait(timeout: 10_000_000_000)
        }
        try? Files.removeTree(directory)
    }

    /// The directory of the running program, where the others are built to.
    package static func ownDirectory() -> String {
        var buffer = [CChar](repeating: 0, count: 4096)
        let count = readlink("/proc/self/exe", &buffer, 4095)
        let path = String(decoding: buffer.prefix(max(count, 0)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
    }
}
