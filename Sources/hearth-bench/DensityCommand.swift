import ArgumentParser
import CreateBench
import InvokeBench

/// `hearth-bench density`: what a sandbox weighs at each tier.
struct DensityCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "density",
        abstract: "Memory of a sandbox at each tier, by the drop in MemAvailable, and resident sizes.",
        discussion: """
            Rows: floor, hearth.bare, hearth.runtime.python, hearth.ready.RUNTIME (KiB a sandbox, by batches); pid1, nursery and
            hearthd.N (resident, N functions registered), and .own without the text that all share. A row that would take over half
            of the available memory is left out, with the reason.
            """)

    @Option(name: .shortAndLong, help: "Bare sandboxes, and ready ones of native.")
    var count = 1_000

    @Option(name: .long, help: "Sandboxes with python or node.")
    var runtimes = 50

    @Option(name: .long, help: "Functions registered for hearthd's resident size.")
    var functions = 1_000

    @Flag(name: .long, help: "Print JSON.")
    var json = false

    func validate() throws {
        guard (1...2_000).contains(count), (1...2_000).contains(runtimes), (0...100_000).contains(functions) else {
            throw ValidationError("use 1 to 2000 sandboxes, and at most 100000 functions")
        }
    }

    func run() throws {
        try BenchCommand.reporting {
            var options = DensityBenchmark.Options()
            options.count = count
            options.runtimes = runtimes
            options.functions = functions
            let benchmark = DensityBenchmark(
                executables: BenchAgent.ownDirectory(), options: options, note: BenchCommand.note)
            try BenchCommand.print(try benchmark.run(), json: json, baseline: "floor")
        }
    }
}
