package import CreateBench
import Glibc
import HearthClient
import Linux
import Wire

/// How many sandboxes a second can be created and ended, Hearth and the C floor in turn, slice by slice.
///
/// Rows: `hearth` and `floor` with a new network namespace for every sandbox; `hearth.netns` and `floor.netns` with
/// namespaces made ahead. Hearth uses a namespace once, so the latter are bursts as long as its stock lasts.
package struct ChurnBenchmark {
    package struct Options: Sendable {
        /// Slices of each row.
        package var slices = 5
        /// Length of a slice.
        package var seconds = 2
        /// Creations under way at once.
        package var parallel = 4

        package init() {}
    }

    /// The largest stock of network namespaces that hearthd takes.
    private static let stock = 64

    private let executables: String
    private let options: Options

    package init(executables: String, options: Options) {
        self.executables = executables
        self.options = options
    }

    /// - Returns: rates per second, a measurement a slice; and what was left that had not been there before.
    package func run() throws(BenchError) -> (report: BenchReport, leaks: [String]) {
        let agent = try BenchAgent(executables: executables, configuration: ["networks: \(Self.stock)"])
        defer { agent.stop() }
        let client = try agent.connect()
        let runner = try SandboxRunner(client: client, agent: agent, executables: executables)
        // Spare cgroups and the like are made on the way up; they stay and are no leak.
        _ = try runner.run(count: Self.stock, parallel: options.parallel)
        usleep(500_000)
        let before = NodeCounts(agent)
        var rates: [String: [Int64]] = [:]
        for _ in 0..<options.slices {
            rates["hearth", default: []].append(try sustained(runner))
            rates["floor", default: []].append(try floor(premade: false))
            rates["hearth.netns", default: []].append(try bursts(runner))
            rates["floor.netns", default: []].append(try floor(premade: true))
        }
        let leaks = before.leaks(agent)
        let rows = ["hearth", "floor", "hearth.netns", "floor.netns"].compactMap { name in
            // Rates in thousandths, so that the row's tenths of a unit come out of whole numbers.
            BenchReport.Row(name: name, nanoseconds: rates[name] ?? [])
        }
        return (BenchReport(bench: "churn", unit: "1/s", rows: rows), leaks)
    }

    private func sustained(_ runner: SandboxRunner) throws(BenchError) -> Int64 {
        let begin = monotonicNow()
        let end = begin + Int64(options.seconds) * 1_000_000_000
        let made = try runner.run(until: end, parallel: options.parallel)
        return Self.milliRate(made, monotonicNow() - begin)
    }

    private func bursts(_ runner: SandboxRunner) throws(BenchError) -> Int64 {
        var made = 0
        var time: Int64 = 0
        while time < Int64(options.seconds) * 250_000_000 {
            // Long enough for the nursery to fill its stock.
            usleep(300_000)
            let begin = monotonicNow()
            made += try runner.run(count: Self.stock, parallel: options.parallel)
            time += monotonicNow() - begin
        }
        return Self.milliRate(made, time)
    }

    private func floor(premade: Bool) throws(BenchError) -> Int64 {
        let helper = try Helper([
            executables + "/hearth-floor", "churn", "--binary", executables + "/hearth-stamp", "--seconds",
            String(options.seconds), "--parallel", String(options.parallel), "--netns", premade ? "premade" : "new",
            "--json",
        ])
        let line = try helper.ask(nil)
        helper.stop()
        let parts = line.split(separator: ":")
        guard parts.count > 1, parts[parts.count - 2].hasSuffix("\"rate\""),
            let rate = Double(parts[parts.count - 1].prefix { $0 != "}" })
        else { throw .agent(about: "floor", said: line) }
        return Int64(rate * 1_000)
    }

    private static func milliRate(_ count: Int, _ nanoseconds: Int64) -> Int64 {
        Int64(Double(count) * 1e12 / Double(max(nanoseconds, 1)))
    }
}
