import ArgumentParser
import Linux
import Replay

/// `hearth-bench trace`: a made-up trace, to time `hearth replay` with.
struct TraceCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "trace", abstract: "Print a made-up day of invocations in the layout of Azure 2019.",
        discussion: "The same options give the same trace. Needs neither root nor an agent.")

    @Option(name: .long, help: "Functions.")
    var functions = 10_000

    @Option(name: .long, help: "Invocations in all, about.")
    var invocations = 1_000_000

    @Option(name: .long, help: "Seed of the draw.")
    var seed: UInt64 = 20240

    func validate() throws {
        guard (1...1_000_000).contains(functions), (1...1_000_000_000).contains(invocations) else {
            throw ValidationError("--functions must be from 1 to 1000000 and --invocations from 1 to 1000000000")
        }
    }

    func run() throws {
        try SyntheticTrace.write(functions: functions, invocations: invocations, seed: seed) { line in
            try Message.writeAll(1, Array((line + "\n").utf8))
        }
    }
}
