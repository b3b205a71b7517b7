import CreateBench
import Glibc
import HearthClient
import InvokeBench
import Linux
import Wire

/// A sandbox at the tier bare that is claimed: an invocation of a `command` function, from the moment before it is sent to the
/// program's first instruction. Making the bare sandbox is not measured.
final class HearthBareSubject: CreateSubject {
    let name = "hearth.bare"
    private let executables: String
    private var agent: BenchAgent?
    private var client: HearthClient?

    init(directory: String) {
        executables = directory
    }

    nonisolated(nonsending) func prepare() async throws(BenchError) {
        let agent = try BenchAgent(executables: executables, configuration: ["bare_pool: 1", "prediction: off"])
        self.agent = agent
        let client = try agent.connect()
        try BenchFunction.command.register(client, executables: executables, scratch: agent.directory)
        self.client = client
    }

    nonisolated(nonsending) func create() async throws(BenchError) -> Int64 {
        guard let client else { throw .agent(about: name, said: "the agent is not running") }
        try PoolControl.empty(client)
        try PoolControl.prefetch(client, BenchFunction.command.rawValue, tier: .bare)
        var request = HearthInvokeRequest()
        request.function = BenchFunction.command.rawValue
        let begin = monotonicNow()
        let response: HearthInvokeResponse
        do throws(HearthClientError) {
            response = try client.invoke(request)
        } catch {
            throw .agent(about: name, said: "\(error)")
        }
        guard response.outcome == .ok, response.startKind == .bare else {
            throw .agent(
                about: name,
                said: "outcome \(response.outcome), start kind \(response.startKind): \(response.error.message)")
        }
        let stamp = Array(response.payload)
        guard stamp.count == 8 else {
            throw .agent(about: name, said: "the program wrote \(stamp.count) bytes instead of its time")
        }
        let first = stamp.withUnsafeBytes { $0.loadUnaligned(as: Int64.self) }
        // Nothing of it may weigh on the next subject's turn.
        try PoolControl.empty(client)
        return first - begin
    }

    nonisolated(nonsending) func teardown() async {
        client = nil
        agent?.stop()
        agent = nil
    }
}
