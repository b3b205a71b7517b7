import AgentTestSupport
import Foundation
import Glibc
import HearthClient
import Linux
import Testing
import Wire

extension AgentTests {
    /// Starts that nobody waits for give way to requests.
    @Suite @TestThread
    struct PacingTests {
        /// Fifty warm-ups under way, and the p95 of another function's warm requests beside what it is without: the goal is 1.2. Both are
        /// measured in turns, so that what else the machine does falls on both; the bound leaves room for its chance.
        @Test func warmRequestsDoNotWaitBehindWarmUps() throws {
            try withAgent("") { _, client in
                let program = try NativeEcho.build()
                try client.put("live", .native, directory: program.path) { $0.argv = ["/var/task/echo"] }
                let busy = """
                    import time
                    end = time.process_time() + 0.15
                    while time.process_time() < end: pass
                    def handler(event, context): return 1
                    """
                for _ in 0..<50 { _ = try client.invoke("live", "x") }
                var quiet: [Double] = []
                var warming: [Double] = []
                var begun = 0.0
                for _ in 0..<4 {
                    quiet += try samples(client)
                    let before = try client.gauge("pool.created")
                    // A new generation each turn: the fifty of the turn before end.
                    try client.put("warming", .python, files: ["app.py": busy]) {
                        $0.minReady = 50
                        $0.maxConcurrency = 50
                    }
                    try eventually("warm-ups are under way") { try client.gauge("pool.background_starts") >= 1 }
                    warming += try samples(client)
                    #expect(
                        try client.gauge("pool.background_starts") >= 1, "the fifty were ready too early to disturb")
                    begun += try client.gauge("pool.created") - before
                    _ = try client.deleteFunction("warming", options: .patient)
                    try eventually("they are gone") {
                        try client.listSandboxes(function: "warming").isEmpty
                            && client.gauge("pool.background_starts") == 0
                    }
                }
                let (with, without) = (p95(warming), p95(quiet))
                print(
                    "warm p95 with 50 warm-ups: \(Int(with)) us, without: \(Int(without)) us, ratio"
                        + " \((with / without * 100).rounded() / 100), \(Int(begun)) starts begun (goal: ratio 1.2)")
                #expect(begun >= 4)
                #expect(with < 3 * without + 1000, "\(with) us with warm-ups, \(without) us without")
            }
        }

        /// Microseconds of warm invocations, as the client sees them, a little apart from each other.
        private func samples(_ client: HearthClient) throws -> [Double] {
            try (0..<150).map { _ in
                usleep(2000)
                let (time, answer) = try milliseconds { try client.invoke("live", "x") }
                guard answer.outcome == .ok, answer.startKind == .warm else { throw TestFailure(answer.summary) }
                return time * 1000
            }
        }

        private func p95(_ values: [Double]) -> Double { values.sorted()[values.count * 95 / 100] }

        /// A background start has little weight until a request wants it; then it has the usual one.
        @Test func aClaimRaisesTheWeight() throws {
            try withAgent("") { agent, client in
                let source = """
                    import time
                    end = time.process_time() + 0.3
                    while time.process_time() < end: pass
                    def handler(event, context): return 1
                    """
                try client.put("kit", .python, files: ["app.py": source]) { $0.minReady = 1 }
                let hasController = try client.info().features.contains("cgroup.cpu")
                var program: Int32 = 0
                var group = ""
                func isIdle() throws -> Bool {
                    guard hasController else { return try Scheduling.isIdle(thread: program) }
                    return try Files.readText(group + "/cpu.idle") == "1\n"
                }
                try eventually("the runtime runs at idle weight") {
                    guard let pid = TestAgent.processes(below: agent.cgroup).first(where: { isPython($0) }),
                        let sandbox = try client.listSandboxes(function: "kit").first
                    else { return false }
                    program = pid
                    group = try agent.group(of: sandbox.id)
                    return try isIdle()
                }
                let answer = try client.invoke("kit")
                #expect(answer.outcome == .ok, "\(answer.summary)")
                // Its start was under way already when the request came, or it was just ready.
                #expect([.cold, .prefetched].contains(answer.startKind), "\(answer.summary)")
                #expect(try client.gauge("pool.created") == 1)
                #expect(try !isIdle())
            }
        }

        private func isPython(_ pid: Int32) -> Bool {
            ((try? Files.readText("/proc/\(pid)/comm")) ?? "").hasPrefix("python")
        }
    }
}
