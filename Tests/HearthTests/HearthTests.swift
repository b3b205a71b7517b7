import AgentTestSupport
import Glibc
import Testing

/// The command line as people and other programs use it: a process, its output and its exit status. One agent for all.
@Suite(
    .serialized, .enabled(if: geteuid() == 0, "skipped: making sandboxes takes root"),
    .sharedAgent("max_queue: 2\ninit_timeout: 5s"))
struct HearthTests {}

/// `hearth` with arguments, against the agent of the suite.
@TestThread
struct HearthCommand {
    let agent: TestAgent

    init() throws { agent = try TestAgent.shared() }

    func callAsFunction(_ arguments: String..., input: [UInt8]? = nil) throws -> Command.Output {
        try run(arguments, input: input)
    }

    func run(_ arguments: [String], input: [UInt8]? = nil) throws -> Command.Output {
        try Command.run(
            [try BuildProducts.executable("hearth")] + arguments, environment: ["HEARTH_SOCKET": agent.socket],
            input: input)
    }

    /// A command in the background.
    func start(_ arguments: String...) throws -> Command {
        try Command(
            [try BuildProducts.executable("hearth")] + arguments, environment: ["HEARTH_SOCKET": agent.socket])
    }

    /// A command that must succeed.
    @discardableResult
    func must(_ arguments: String..., input: [UInt8]? = nil) throws -> Command.Output {
        let output = try run(arguments, input: input)
        guard output.status == 0 else {
            throw TestFailure("hearth \(arguments.joined(separator: " ")): \(output.status) \(output.errors)")
        }
        return output
    }
}
