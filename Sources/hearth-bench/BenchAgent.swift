import CreateBench
import Glibc
import HearthClient
import Linux

/// An agent of the benchmark's own, in a temporary directory.
final class BenchAgent {
    let directory: String
    private let process: Linux.Process

    var socket: String { directory + "/agent.sock" }

    /// Starts hearthd and waits until it answers.
    init(executables: String) throws(BenchError) {
        var template = Array("/tmp/hearth-bench.XXXXXX".utf8CString)
        guard let made = mkdtemp(&template) else {
            throw .missing(program: "a directory in /tmp", remedy: "\(Errno.current)")
        }
        directory = String(cString: made)
        let daemon = executables + "/hearthd"
        do throws(Errno) {
            let null = try Files.open("/dev/null", flags: O_RDWR)
            let log = try Files.open(directory + "/log", flags: O_WRONLY | O_CREAT, mode: 0o600)
            process = try Linux.Process.spawn(
                [daemon, "--socket", directory + "/agent.sock", "--state", directory + "/state"],
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

    /// Stops the agent; its directory goes with it.
    func stop() {
        try? process.signal(SIGTERM)
        _ = try? process.wait(timeout: 20_000_000_000)
        try? Files.removeTree(directory)
    }

    static func ownDirectory() -> String {
        var buffer = [CChar](repeating: 0, count: 4096)
        let count = readlink("/proc/self/exe", &buffer, 4095)
        let path = String(decoding: buffer.prefix(max(count, 0)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
    }
}
