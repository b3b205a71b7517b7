import ArgumentParser
import CreateBench
import InvokeBench
import Linux

/// `hearth-bench churn`: creations and ends a second, and what they leave.
struct ChurnCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "churn",
        abstract: "Sandboxes created and ended a second, beside the C floor, and a look for leaks.",
        discussion: """
            Rows: hearth and floor (a new network namespace for each), hearth.netns and floor.netns (network namespaces made
            ahead; Hearth's are bursts of 64, since it uses each once). Rates, so more is better: p90 and p99 are the faster slices.
            Ends with status 1 when processes, cgroups, descriptors, mounts or memory are left.
            """)

    @Option(name: .long, help: "Slices of each row.")
    var slices = 5

    @Option(name: .long, help: "Seconds of a slice.")
    var seconds = 2

    @Option(name: .long, help: "Creations under way at once.")
    var parallel = 4

    @Flag(name: .long, help: "Print JSON.")
    var json = false

    func validate() throws {
        guard (1...1_000).contains(slices), (1...3_600).contains(seconds), (1...64).contains(parallel) else {
            throw ValidationError("use 1 to 1000 slices of 1 to 3600 seconds, and 1 to 64 at once")
        }
    }

    func run() throws {
        try BenchCommand.reporting {
            var options = ChurnBenchmark.Options()
            options.slices = slices
            options.seconds = seconds
            options.parallel = parallel
            let benchmark = ChurnBenchmark(executables: BenchAgent.ownDirectory(), options: options)
            let (report, leaks) = try benchmark.run()
            try BenchCommand.print(report, json: json, baseline: "floor")
            for leak in leaks { try? Message.writeAll(2, Array("hearth-bench: left over: \(leak)\n".utf8)) }
            if !leaks.isEmpty { throw ExitCode(1) }
            try? Message.writeAll(2, Array("hearth-bench: nothing is left over\n".utf8))
        }
    }
}
