package import CreateBench
import Glibc
import HearthClient
import Linux
import Wire

/// What an invocation costs: warm beside a relay with the same two hops, and every start kind beside the interpreter's own
/// start. All of one part take turns.
package struct InvokeBenchmark {
    package struct Options: Sendable {
        /// Warm invocations and relayed messages.
        package var count = 5_000
        /// Invocations of each start kind.
        package var starts = 30
        package var functions: [BenchFunction] = [.command, .python, .node]
        package var seed: UInt64 = 1

        package init() {}
    }

    package typealias Note = (_ subject: String, _ reason: String) -> Void

    private let executables: String
    private let options: Options
    private let note: Note

    package init(executables: String, options: Options, note: @escaping Note) {
        self.executables = executables
        self.options = options
        self.note = note
    }

    package func run() throws(BenchError) -> BenchReport {
        var rows: [BenchReport.Row] = []
        if options.count > 0 { rows += try WarmComparison(executables: executables, count: options.count).run() }
        if options.starts > 0 { rows += try startKinds() }
        if rows.isEmpty { throw .nothingToMeasure("no invocation was asked for") }
        return BenchReport(bench: "invoke", unit: "us", rows: rows)
    }

    /// Something that takes turns: its row's name and one measurement.
    private final class Turn {
        let name: String
        let measure: () throws(BenchError) -> Int64
        var nanoseconds: [Int64] = []
        var failed = false

        init(name: String, measure: @escaping () throws(BenchError) -> Int64) {
            self.name = name
            self.measure = measure
        }
    }

    private func startKinds() throws(BenchError) -> [BenchReport.Row] {
        // An agent for each pool: one that keeps bare sandboxes would never start a function cold. None foresees the rounds.
        let settings: [[String]] = [[], ["bare_pool: 1"], ["runtime_pool: 1"]].map { $0 + ["prediction: off"] }
        var agents: [BenchAgent] = []
        defer { for agent in agents { agent.stop() } }
        for setting in settings { agents.append(try BenchAgent(executables: executables, configuration: setting)) }
        var turns: [Turn] = []
        for function in options.functions {
            var clients: [HearthClient] = []
            for agent in agents {
                let client = try agent.connect()
                try function.register(client, executables: executables, scratch: agent.directory)
                clients.append(client)
            }
            for kind in StartKindSubject.kinds where kind != .runtime || function == .python || function == .node {
                let subject = StartKindSubject(function: function, kind: kind)
                let client = clients[kind == .bare ? 1 : kind == .runtime ? 2 : 0]
                turns.append(Turn(name: subject.name) { () throws(BenchError) in try subject.measure(client) })
            }
        }
        turns += interpreters()
        var order = SplitMix64(seed: options.seed)
        // The first round does not count: it fills the page cache.
        for round in 0...options.starts {
            for turn in turns.shuffled(using: &order) where !turn.failed {
                do throws(BenchError) {
                    let nanoseconds = try turn.measure()
                    if round > 0 { turn.nanoseconds.append(nanoseconds) }
                } catch {
                    turn.failed = true
                    note(turn.name, error.description)
                }
            }
        }
        return turns.compactMap { $0.failed ? nil : BenchReport.Row(name: $0.name, nanoseconds: $0.nanoseconds) }
    }

    /// The same work without Hearth: start the interpreter, do nothing, end. By path: the sandboxes have the node's /usr, and
    /// nothing that a user's PATH may find before it.
    private func interpreters() -> [Turn] {
        var turns: [Turn] = []
        let commands: [(BenchFunction, String, [String])] = [
            (.command, "exec", [executables + "/hearth-stamp"]),
            (.python, "python3", ["/usr/bin/python3", "-c", "pass"]),
            (.node, "node", ["/usr/bin/node", "-e", ""]),
        ]
        for (function, name, argv) in commands where options.functions.contains(function) {
            turns.append(
                Turn(name: name) { () throws(BenchError) in
                    let helper = try Helper([executables + "/hearth-floor", "spawn", "--exit", "--"] + argv)
                    let line = try helper.ask("")
                    helper.stop()
                    guard let nanoseconds = Int64(line) else { throw .agent(about: name, said: line) }
                    return nanoseconds
                })
        }
        return turns
    }
}
