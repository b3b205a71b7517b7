import CreateBench
import Glibc
import HearthClient
import Linux
import Wire

/// Runs hearth-stamp in sandboxes of their own, several at once on one connection.
struct SandboxRunner {
    private let client: HearthClient
    private let null: SharedFD

    init(client: HearthClient, agent: BenchAgent, executables: String) throws(BenchError) {
        self.client = client
        do {
            null = SharedFD(try Files.open("/dev/null", flags: O_RDWR))
            let image = agent.directory + "/image"
            try Files.makeDirectories(image + "/app")
            let program = try Files.read(executables + "/hearth-stamp", limit: 16 << 20)
            try Files.write(program, to: image + "/app/program", mode: 0o755)
            var request = HearthImportImageRequest()
            request.name = "stamp"
            request.format = .directory
            request.path = image
            _ = try client.importImage(request)
        } catch {
            throw .agent(about: "the image of hearth-stamp", said: "\(error)")
        }
    }

    /// - Returns: how many began and ended.
    func run(count: Int, parallel: Int) throws(BenchError) -> Int {
        try run(parallel: parallel) { $0 < count }
    }

    /// As many as begin before `end` on the monotonic clock.
    func run(until end: Int64, parallel: Int) throws(BenchError) -> Int {
        try run(parallel: parallel) { _ in monotonicNow() < end }
    }

    private func run(parallel: Int, while more: (Int) -> Bool) throws(BenchError) -> Int {
        var request = HearthRunRequest()
        request.argv = ["/app/program"]
        request.image = "stamp"
        var pending: [PendingRun] = []
        var begun = 0
        var ended = 0
        do {
            while true {
                while pending.count < parallel, more(begun) {
                    pending.append(
                        try client.begin(request, stdio: (null.rawValue, null.rawValue, null.rawValue)))
                    begun += 1
                }
                if pending.isEmpty { return ended }
                let response = try client.finish(pending.removeFirst())
                guard response.outcome == .ok, response.exitStatus == 0 else {
                    throw BenchError.agent(
                        about: "hearth", said: "a run ended with \(response.outcome): \(response.error.message)")
                }
                ended += 1
            }
        } catch let error as BenchError {
            throw error
        } catch {
            throw .agent(about: "hearth", said: "\(error)")
        }
    }
}
