import ArgumentParser
import InvokeBench
import Linux

/// `hearth-bench budgets`: what was measured, beside what was promised.
struct BudgetsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "budgets",
        abstract: "The budgets beside what the other benchmarks measured.",
        discussion: """
            Reads DIRECTORY/create.json, invoke.json, churn.json, density.json, wire.json and forecast.json, which the commands
            of these names write with --json. A budget whose figure is not there says so.
            """)

    @Argument(help: "Where the JSON files are.")
    var directory: String

    @Flag(name: .long, help: "End with status 1 when a budget is not met.")
    var strict = false

    func run() throws {
        let table = BudgetTable(Measurements(directory: directory))
        try Message.writeAll(1, Array((table.text() + "\n").utf8))
        if strict, !table.allMet { throw ExitCode(1) }
    }
}
