import AgentTestSupport
import Foundation
import Glibc
import HearthClient
import Testing
import Wire

extension AgentTests {
    /// A plan in `hearth predict`: a source with its share, and no second demand beside the plan's own.
    @Suite @TestThread
    struct PlanPriorTests {
        private func plan(_ generation: UInt64, seconds: UInt64, _ entries: [(String, Double)]) -> HearthPushPlanRequest
        {
            var request = HearthPushPlanRequest()
            request.generation = generation
            request.ttlNs = seconds * 1_000_000_000
            for (name, confidence) in entries {
                var entry = HearthPlanEntry()
                entry.function = name
                entry.confidence = confidence
                request.entries.append(entry)
            }
            return request
        }

        private func prediction(_ name: String, _ client: HearthClient) throws -> HearthPrediction? {
            var request = HearthPredictRequest()
            request.function = name
            return try client.predict(request).predictions.first
        }

        private func share(_ name: String, _ client: HearthClient) throws -> HearthSourceShare? {
            try prediction(name, client)?.sources.first { $0.source == "plan" }
        }

        @Test func aPlanIsASourceThatFadesAndOutlivesARestart() throws {
            let scratch = try ScratchDirectory()
            var agent = try TestAgent(configuration: "prediction: on\n", scratch: scratch)
            do {
                let client = try agent.client()
                for name in ["planned", "other"] { try client.put(name, .command) { $0.argv = ["/bin/cat"] } }
                #expect(try prediction("planned", client) == nil)
                _ = try client.pushPlan(plan(1, seconds: 40, [("planned", 0.9)]))
                let said = try #require(try prediction("planned", client))
                #expect(said.sources.map(\.source) == ["plan"] && said.sources.first?.weight == 1, "\(said)")
                #expect(said.probability > 0.85 && said.probability <= 0.9, "\(said)")
                #expect(abs(said.confidence - 0.9) < 1e-6, "what the pool acts on: \(said)")
                let ranked = try client.predict(HearthPredictRequest()).predictions.map(\.function)
                #expect(ranked == ["planned"])
                #expect(try prediction("other", client) == nil)
                // Another plan takes its place as a whole.
                _ = try client.pushPlan(plan(2, seconds: 40, [("other", 0.9)]))
                #expect(try prediction("planned", client) == nil)
                #expect(try share("other", client) != nil)
                try agent.signal(SIGKILL)
                _ = try agent.waitForEnd()
            }
            agent = try TestAgent(configuration: "prediction: on\n", scratch: scratch)
            let client = try agent.client()
            try eventually("the plan speaks again") { try share("other", client) != nil }
            let early = try #require(try share("other", client)).probability
            Thread.sleep(forTimeInterval: 5)
            let late = try #require(try share("other", client)).probability
            #expect(late < early - 0.005, "\(early), then \(late)")
            try eventually("it ends with its time", within: 60) { try share("other", client) == nil }
            let problems = agent.stop()
            #expect(problems.isEmpty, "\(problems)")
        }

        /// A plan that is not sure enough to act on does not become so by being told twice, and one that is sure starts what it asks
        /// for, on its own account.
        @Test func aPlanIsNotCountedTwice() throws {
            let agent = try TestAgent(configuration: "prediction: on\nprefetch_threshold: 0.5\n")
            let client = try agent.client()
            for name in ["weak", "sure"] { try client.put(name, .command) { $0.argv = ["/bin/cat"] } }
            // A past of its own for the weak one, so that its rhythm is asked too: calls at odd times, long ago.
            let now = Date().timeIntervalSince1970
            let log = [86_000.0, 71_000, 52_500, 31_000, 16_200].map {
                "{\"time\": \(now - $0), \"function\": \"weak\"}\n"
            }.joined()
            #expect(try client.observe(HearthObserveRequest(), log: .bytes(Array(log.utf8))).accepted == 5)
            _ = try client.pushPlan(plan(1, seconds: 60, [("weak", 0.45), ("sure", 0.9)]))
            try eventually("what is sure is ready") {
                try client.listSandboxes(function: "sure").contains { $0.state == "idle" }
            }
            let weak = try #require(try prediction("weak", client))
            #expect(Set(weak.sources.map(\.source)).isSuperset(of: ["plan", "occurrence"]), "\(weak)")
            #expect(weak.sources.first?.source == "plan", "it has the largest share: \(weak)")
            #expect(abs(weak.confidence - 0.45) < 0.02, "the larger of the two, not their union: \(weak)")
            // Turns of the prediction have come and gone.
            Thread.sleep(forTimeInterval: 4)
            let started = try client.listSandboxes(function: "weak")
            #expect(started.isEmpty, "\(started)")
            let ready = try client.listSandboxes(function: "sure")
            #expect(ready.count == 1, "\(ready)")
            let gauges = try client.stats().gauges
            func gauge(_ name: String) -> Double { gauges.first { $0.name == name }?.value ?? 0 }
            #expect(gauge("ledger.plan.started") == 1, "\(gauges)")
            #expect(gauge("ledger.forecast.started") == 0)
            let problems = agent.stop()
            #expect(problems.isEmpty, "\(problems)")
        }
    }
}
