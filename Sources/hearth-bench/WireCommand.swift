import ArgumentParser
import CreateBench
import InvokeBench

/// `hearth-bench wire`: frames, messages and a round trip.
struct WireCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "wire",
        abstract: "Cost of frames and messages, and a round trip to the agent beside a socket echo in C.",
        discussion: """
            Rows: frame.encode, frame.decode, message.encode, message.decode (an Invoke with 64 bytes, means of batches of
            1000); floor (64 bytes to a C program and back), hearth.ping (PING and PONG), hearth.info (an Info request by the client
            library), hearth.plan.N (a plan of N entries pushed).
            """)

    @Option(name: .shortAndLong, help: "Round trips.")
    var count = 2_000

    @Option(name: .long, help: "Entries of the plan; 0 leaves it out.")
    var planEntries = 10_000

    @Flag(name: .long, help: "Print JSON.")
    var json = false

    func validate() throws {
        guard (1...1_000_000).contains(count), (0...20_000).contains(planEntries) else {
            throw ValidationError("use 1 to 1000000 round trips, and at most 20000 entries")
        }
    }

    func run() throws {
        try BenchCommand.reporting {
            var options = WireBenchmark.Options()
            options.count = count
            options.planEntries = planEntries
            let benchmark = WireBenchmark(
                executables: BenchAgent.ownDirectory(), options: options, note: BenchCommand.note)
            try BenchCommand.print(try benchmark.run(), json: json, baseline: "floor")
        }
    }
}
