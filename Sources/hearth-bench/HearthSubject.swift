import CreateBench
import InvokeBench
import Glibc
import HearthClient
import Linux
import Wire

/// Hearth itself: a Run request on the agent's socket, from the moment before it is sent to the program's first instruction.
///
/// The program lies in an image of its own, so the sandbox has one read-only bind mount less than the floor's (which shows
/// /usr beside it); everything else is what every run of Hearth does.
final class HearthSubject: CreateSubject {
    let name = "hearth"
    private let executables: String
    private var agent: BenchAgent?
    private var client: HearthClient?
    private var null: SharedFD?

    init(directory: String) {
        executables = directory
    }

    nonisolated(nonsending) func prepare() async throws(BenchError) {
        let agent = try BenchAgent(executables: executables)
        self.agent = agent
        do {
            let image = agent.directory + "/image"
            try Files.makeDirectories(image + "/app")
            let program = try Files.read(executables + "/hearth-stamp", limit: 16 << 20)
            try Files.write(program, to: image + "/app/program", mode: 0o755)
            let client = try HearthClient(socketPath: agent.socket)
            var request = HearthImportImageRequest()
            request.name = "stamp"
            request.format = .directory
            request.path = image
            _ = try client.importImage(request)
            self.client = client
            null = SharedFD(try Files.open("/dev/null", flags: O_RDWR))
        } catch let error as BenchError {
            throw error
        } catch {
            throw .helper(subject: "hearth", said: "\(error)")
        }
    }

    nonisolated(nonsending) func create() async throws(BenchError) -> Int64 {
        guard let client, let null else { throw .helper(subject: "hearth", said: "the agent is not running") }
        do {
            let pipe = try DescriptorPair.pipe().take()
            let reader = OwnedFD(owning: pipe.first)
            let writer = SharedFD(owning: pipe.second)
            var request = HearthRunRequest()
            request.argv = ["/app/program"]
            request.image = "stamp"
            let begin = monotonicNow()
            // Returns when the sandbox is gone: nothing of it weighs on the next subject's turn.
            let response = try withExtendedLifetime((writer, null)) {
                try client.run(request, stdio: (null.rawValue, writer.rawValue, null.rawValue))
            }
            guard response.outcome == .ok, response.exitStatus == 0 else {
                throw BenchError.helper(
                    subject: "hearth", said: "the run ended with \(response.outcome): \(response.error.message)")
            }
            let first = try Self.stamp(reader)
            return first - begin
        } catch let error as BenchError {
            throw error
        } catch {
            throw .helper(subject: "hearth", said: "\(error)")
        }
    }

    /// Eight bytes in native order: the program's CLOCK_MONOTONIC.
    private static func stamp(_ reader: borrowing OwnedFD) throws -> Int64 {
        var value: Int64 = 0
        let count = try withUnsafeMutableBytes(of: &value) { bytes in try Message.read(reader.rawValue, into: bytes) }
        guard count == 8 else {
            throw BenchError.helper(subject: "hearth", said: "the program wrote \(count) bytes instead of its time")
        }
        return value
    }

    nonisolated(nonsending) func teardown() async {
        client = nil
        agent?.stop()
        agent = nil
    }
}
