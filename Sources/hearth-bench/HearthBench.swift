import ArgumentParser

/// Measures Hearth beside a floor and its peers, in one run and taking turns.
@main
struct HearthBench: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "hearth-bench",
        abstract: "Measure Hearth side by side with the floor and with its peers.",
        discussion: "Needs root, and the executables of Hearth beside this one.",
        subcommands: [
            CreateCommand.self, InvokeCommand.self, ChurnCommand.self, DensityCommand.self, WireCommand.self,
            ForecastCommand.self, TraceCommand.self, BudgetsCommand.self, TableCommand.self,
        ])
}
