import CreateBench
import Glibc
import Linux
import Testing

@testable import InvokeBench

/// Small runs of every benchmark against real agents: the rows that must be there are, with all their samples.
@Suite("hearth-bench", .serialized, .enabled(if: geteuid() == 0, "needs root"))
struct InvokeBenchTests {
    private let products: String

    init() throws {
        products = try #require(productsDirectory(), "the directory of the test bundle")
    }

    @Test("invoke: warm and relay, free, pinned and polling, in equal numbers")
    func warm() throws {
        var options = InvokeBenchmark.Options()
        options.count = 50
        options.starts = 0
        let report = try InvokeBenchmark(executables: products, options: options) { _, _ in }.run()
        #expect(report.bench == "invoke" && report.unit == "us")
        let names = ["", ".pinned", ".polling"].flatMap { ["hearth.warm" + $0, "relay" + $0] }
        #expect(report.rows.map(\.name) == names)
        for row in report.rows {
            #expect(row.n == 50)
            #expect(row.p50 > 1 && row.p50 <= row.p90 && row.p90 <= row.p99, "\(row)")
        }
        #expect(try #require(report["hearth.warm"]).p50 > (try #require(report["relay"])).p50 * 0.5)
    }

    @Test("invoke: a start kind either has all its samples or a reason")
    func startKinds() throws {
        var options = InvokeBenchmark.Options()
        options.count = 0
        options.starts = 2
        options.functions = [.command]
        var reasons: [String: String] = [:]
        let report = try InvokeBenchmark(executables: products, options: options) { reasons[$0] = $1 }.run()
        for name in ["cold", "bare", "prefetched", "warm"].map({ "hearth.\($0).command" }) + ["exec"] {
            if let row = report[name] {
                #expect(row.n == 2)
                #expect(reasons[name] == nil)
            } else {
                #expect(reasons[name]?.isEmpty == false, "\(name) is missing without a reason")
            }
        }
        #expect(report["hearth.warm.command"] != nil && report["exec"] != nil)
    }

    @Test("churn: four rates, and nothing left")
    func churn() throws {
        var options = ChurnBenchmark.Options()
        options.slices = 1
        options.seconds = 1
        let (report, leaks) = try ChurnBenchmark(executables: products, options: options).run()
        #expect(report.rows.map(\.name) == ["hearth", "floor", "hearth.netns", "floor.netns"])
        #expect(report.rows.allSatisfy { $0.n == 1 && $0.p50 > 1 })
        #expect(leaks == [])
    }

    @Test("density: the floor's sandboxes weigh something, and the agent's processes are seen")
    func density() throws {
        var options = DensityBenchmark.Options()
        options.count = 20
        options.runtimes = 1
        options.functions = 10
        options.batches = 2
        var reasons: [String: String] = [:]
        let report = try DensityBenchmark(executables: products, options: options) { reasons[$0] = $1 }.run()
        #expect(report.unit == "KiB")
        for name in ["floor", "hearth.bare", "hearth.ready.native"] {
            #expect(report[name] != nil || reasons[name] != nil, "\(name) is missing without a reason")
        }
        for name in ["pid1", "nursery", "hearthd.10"] { #expect(try #require(report[name]).p50 >= 4) }
        // Text that is not shared, or a table that children inherit, would show here long before it hurts.
        #expect(try #require(report["pid1"]).p50 <= 64)
    }

    @Test("wire: costs without I/O, and three round trips")
    func wire() throws {
        var options = WireBenchmark.Options()
        options.count = 50
        options.planEntries = 10
        options.plans = 1
        var reasons: [String: String] = [:]
        let report = try WireBenchmark(executables: products, options: options) { reasons[$0] = $1 }.run()
        for name in ["frame.encode", "frame.decode", "message.encode", "message.decode"] {
            #expect(try #require(report[name]).p50 > 0)
        }
        for name in ["floor", "hearth.ping", "hearth.info"] { #expect(try #require(report[name]).n == 50) }
        #expect(report["hearth.plan.10"] != nil || reasons["hearth.plan.10"] != nil)
    }
}

/// The directory that holds the test bundle, and with it hearthd, hearth-nursery and hearth-floor.
private func productsDirectory() -> String? {
    guard let maps = try? Files.readText("/proc/self/maps", limit: 1 << 24),
        let line = maps.split(separator: "\n").first(where: { $0.hasSuffix("Tests.xctest") }),
        let start = line.firstIndex(of: "/"), let end = line.lastIndex(of: "/")
    else { return nil }
    return String(line[start..<end])
}
