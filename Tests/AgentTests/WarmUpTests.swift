import AgentTestSupport
import Foundation
import HearthClient
import Testing
import Wire

extension AgentTests {
    /// The warm-up event: before the sandbox counts as ready, and what its failure does.
    @Suite @TestThread
    struct WarmUpTests {
        /// Nobody gets a sandbox before its warm-up has ended, however many wait.
        @Test func noRequestGetsBeforeTheWarmUp() throws {
            try withAgent("runtime_pool: 1") { agent, client in
                let source = """
                    import time
                    warm = False
                    def warmup(event, context):
                        global warm
                        time.sleep(0.2)
                        warm = event["say"] == "warm"
                    def handler(event, context): return warm
                    """
                try client.put("kit", .python, files: ["app.py": source]) {
                    $0.warmupEvent = .init("{\"say\":\"warm\"}".utf8)
                    $0.maxConcurrency = 3
                }
                let answers = try concurrently(6) { _ in try agent.client().invoke("kit") }
                #expect(answers.allSatisfy { $0.outcome == .ok && $0.text == "true" }, "\(answers.map(\.summary))")
                // The warm-up is part of the start, not of the invocation.
                let started = try #require(answers.first { $0.startKind != .warm })
                #expect(started.timing.initNs > 200_000_000 && started.timing.runNs < 200_000_000, "\(started.timing)")
            }
        }

        /// A function that cannot be warmed up is tried less and less often; requests are told why, and new code gets a new chance.
        @Test func aFailingWarmUpOpensTheBreaker() throws {
            try withAgent("") { agent, client in
                let bad = """
                    def warmup(event, context): raise LookupError("no such colour: bleen")
                    def handler(event, context): return "never"
                    """
                try client.put("kit", .python, files: ["app.py": bad]) {
                    $0.warmupEvent = .init("{}".utf8)
                    $0.minReady = 1
                }
                try eventually("the breaker opens", within: 60) {
                    agent.log.components(separatedBy: "did not start").count > 3
                }
                #expect(agent.log.contains("no such colour: bleen"))
                #expect(agent.log.contains("stage=\"warmUp\""), "\(agent.log)")
                var refused = try client.invoke("kit")
                // In the very moment of a try the request may be what fails it.
                for _ in 0..<5 where refused.outcome == .initFailed { refused = try client.invoke("kit") }
                #expect(refused.outcome == .rejected, "\(refused.summary)")
                #expect(refused.error.message.contains("again and again"), "\(refused.summary)")
                #expect(refused.error.message.contains("no such colour: bleen"), "\(refused.summary)")
                #expect(refused.error.message.contains("next try is in"), "\(refused.summary)")
                // It backs off: there are pauses, so the number of tries stays small.
                #expect(try client.gauge("pool.created") < 12)
                try client.put("kit", .python, files: ["app.py": "def handler(event, context): return \"better\""])
                let answer = try client.invoke("kit")
                #expect(answer.outcome == .ok && answer.text == "\"better\"", "\(answer.summary)")
            }
        }

        /// With `while_failing: try` each request has its own try and its own true reason.
        @Test func requestsMayTryWhileItFails() throws {
            try withAgent("while_failing: try") { _, client in
                try client.put("kit", .python, files: ["app.py": "raise LookupError(\"bleen\")"])
                for _ in 0..<5 {
                    let answer = try client.invoke("kit")
                    #expect(answer.outcome == .initFailed && answer.error.type == "LookupError", "\(answer.summary)")
                }
            }
        }
    }
}
