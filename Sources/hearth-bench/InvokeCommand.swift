import ArgumentParser
import CreateBench
import InvokeBench

/// `hearth-bench invoke`: what an invocation costs, warm and at every start kind.
struct InvokeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "invoke",
        abstract: "Time of an invocation: warm beside a C relay with the same two hops, and at every start kind.",
        discussion: """
            Rows: hearth.warm and relay (64 bytes each way, in turn), the same with .pinned on one processor and with .polling
            beside an agent with busy_poll: 50us; hearth.KIND.RUNTIME for the start kinds cold, bare, runtime, prefetched and
            warm; exec, python3 and node: the bare program from its start to its end. Every sample's start kind is checked
            against the agent's answer.
            """)

    @Option(name: .shortAndLong, help: "Warm invocations.")
    var count = 5_000

    @Option(name: .long, help: "Invocations of each start kind.")
    var starts = 30

    @Option(name: .long, help: "Runtimes whose start kinds are measured, separated by commas.")
    var runtimes = "command,python,node"

    @Option(name: .long, help: "Seed of the order in which they take turns.")
    var seed: UInt64 = 1

    @Flag(name: .long, help: "Print JSON.")
    var json = false

    func validate() throws {
        guard (0...1_000_000).contains(count), (0...10_000).contains(starts) else {
            throw ValidationError("use at most 1000000 invocations, and at most 10000 of each start kind")
        }
        for name in runtimes.split(separator: ",") where BenchFunction(rawValue: String(name)) == nil {
            throw ValidationError(
                "no runtime '\(name)'; known are \(BenchFunction.allCases.map(\.rawValue).joined(separator: ", "))")
        }
    }

    func run() throws {
        try BenchCommand.reporting {
            var options = InvokeBenchmark.Options()
            options.count = count
            options.starts = starts
            options.seed = seed
            options.functions = runtimes.split(separator: ",").compactMap { BenchFunction(rawValue: String($0)) }
            let benchmark = InvokeBenchmark(
                executables: BenchAgent.ownDirectory(), options: options, note: BenchCommand.note)
            try BenchCommand.print(try benchmark.run(), json: json, baseline: "relay")
        }
    }
}
