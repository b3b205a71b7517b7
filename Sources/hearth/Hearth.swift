import ArgumentParser

/// The command line of Hearth.
@main
struct Hearth: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "hearth",
        abstract: "Run code in sandboxes that are ready before the request.",
        discussion: """
            The agent is found at --socket, else at the socket that HEARTH_SOCKET names, else at /run/hearth/agent.sock.
            Errors say what was wrong and what to do, on stderr; every listing takes --json.
            """,
        subcommands: [
            RunCommand.self, FunctionCommand.self, InvokeCommand.self, ImageCommand.self, PsCommand.self,
            StatsCommand.self, LatencyCommand.self, TopCommand.self, JournalCommand.self, DoctorCommand.self,
            PrefetchCommand.self, EvictCommand.self, PlanCommand.self, DrainCommand.self, ObserveCommand.self,
            EventCommand.self, PredictCommand.self, ReplaySubcommand.self,
        ])
}
