package import CreateBench
import Glibc
import HearthClient
import Linux
import Wire

/// What a sandbox weighs, all kernel memory counted: the drop in MemAvailable, divided.
///
/// Rows: `floor` (the C program's sandboxes), `hearth.bare`, `hearth.runtime.python`, `hearth.ready.native`,
/// `hearth.ready.python`, `hearth.ready.node`; each measurement is a batch. Beside them resident sizes: `pid1`, `nursery`,
/// `hearthd`, and `hearthd.1000` with a thousand functions registered.
package struct DensityBenchmark {
    package struct Options: Sendable {
        /// Sandboxes of the lightest kind.
        package var count = 1_000
        /// Sandboxes of a language runtime, which weigh tens of times as much.
        package var runtimes = 50
        package var functions = 1_000
        package var batches = 10

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
        rows += row("floor") { () throws(BenchError) in try floor() }
        let agent = try BenchAgent(executables: executables, configuration: Self.configuration)
        defer { agent.stop() }
        let client = try agent.connect()
        for function in BenchFunction.allCases {
            try function.register(client, executables: executables, scratch: agent.directory) {
                $0.maxConcurrency = 4096
                $0.memoryBytes = 64 << 20
            }
        }
        let subjects: [(String, BenchFunction, HearthTier, Int)] = [
            ("hearth.bare", .command, .bare, options.count),
            ("hearth.runtime.python", .python, .runtime, options.runtimes),
            ("hearth.ready.native", .native, .ready, options.count),
            ("hearth.ready.python", .python, .ready, options.runtimes),
            ("hearth.ready.node", .node, .ready, options.runtimes),
        ]
        for (name, function, tier, count) in subjects {
            rows += row(name) { () throws(BenchError) in
                defer { try? PoolControl.empty(client) }
                let batches = Self.batches(count, options.batches)
                return try weigh(name, batches) { (total) throws(BenchError) in
                    try PoolControl.prefetch(client, function.rawValue, tier: tier, count: total)
                }
            }
        }
        rows += try Residents(agent: agent, client: client).rows(functions: options.functions)
        return BenchReport(bench: "density", unit: "KiB", rows: rows)
    }

    /// Everything may be there at once, and nothing is frozen or given up meanwhile.
    private static let configuration = [
        "max_sandboxes: 4096", "memory_budget: 1024G", "freeze_after: never", "keep_alive: 1h",
        "default_concurrency: 4096", "bare_pool: 1", "runtime_pool: 1",
    ]

    private func row(_ name: String, _ body: () throws(BenchError) -> [Int64]) -> [BenchReport.Row] {
        do throws(BenchError) {
            return [BenchReport.Row(name: name, nanoseconds: try body())].compactMap { $0 }
        } catch {
            note(name, error.description)
            return []
        }
    }

    private func floor() throws(BenchError) -> [Int64] {
        let helper = try Helper([executables + "/hearth-floor", "hold", "--binary", executables + "/hearth-stamp"])
        var before = 0
        let result: [Int64]
        do throws(BenchError) {
            result = try weigh("floor", Self.batches(options.count, options.batches)) { (total) throws(BenchError) in
                guard Int(try helper.ask(String(total - before))) == total else {
                    throw .agent(about: "floor", said: "not \(total) sandboxes")
                }
                before = total
            }
        } catch {
            helper.stop()
            throw error
        }
        helper.stop()
        return result
    }

    /// Makes sandboxes batch by batch; `make` gets how many there shall be in all.
    ///
    /// - Returns: thousandths of a KiB for each sandbox of each batch but the first, which pays what all share.
    /// - Throws: after the first batch, when the rest would take more than half of the memory that is there.
    private func weigh(
        _ name: String, _ batches: [Int], _ make: (Int) throws(BenchError) -> Void
    ) throws(BenchError) -> [Int64] {
        var weights: [Int64] = []
        var total = 0
        var available = Self.restingMemory()
        for (index, size) in batches.enumerated() {
            total += size
            try make(total)
            let now = Self.settledMemory()
            let each = (available - now) / Int64(size)
            available = now
            if index > 0 || batches.count == 1 { weights.append(each * 1_000 / 1024) }
            let rest = batches.dropFirst(index + 1).reduce(0, +)
            if Int64(rest) * max(each, 0) > now / 2 {
                throw .nothingToMeasure(
                    "\(rest) sandboxes more at \(each >> 10) KiB each would take over half of the \(now >> 20) MiB that are "
                        + "available; ask for fewer (--count, --runtimes)")
            }
        }
        return weights
    }

    private static func batches(_ count: Int, _ parts: Int) -> [Int] {
        let parts = max(1, min(parts, count))
        return (0..<parts).map { count / parts + ($0 < count % parts ? 1 : 0) }
    }

    /// What the subject before has left is freed for seconds after its end (network namespaces one by one, cgroups, RCU), and
    /// would be taken off this one's weight: wait until nothing comes back any more.
    private static func restingMemory() -> Int64 {
        var last = ProcessFacts.memoryAvailable()
        var quiet = 0
        for _ in 0..<120 where quiet < 4 {
            usleep(500_000)
            let now = ProcessFacts.memoryAvailable()
            quiet = now - last < 256 << 10 ? quiet + 1 : 0
            last = now
        }
        return last
    }

    /// The kernel counts memory by processor and frees some of it late (RCU): wait until it is still.
    private static func settledMemory() -> Int64 {
        var last = ProcessFacts.memoryAvailable()
        for _ in 0..<20 {
            usleep(150_000)
            let now = ProcessFacts.memoryAvailable()
            if abs(now - last) < 2 << 20 { return now }
            last = now
        }
        return last
    }
}
