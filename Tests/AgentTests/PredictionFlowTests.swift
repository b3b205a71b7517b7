import AgentTestSupport
import Foundation
import Glibc
import HearthClient
import Testing
import Wire

extension AgentTests {
    /// Starts that come before their requests, in real sandboxes. Memory is dear here: nothing is held for long.
    @Suite @TestThread
    struct PredictionFlowTests {
        private static let dear = """
            keep_alive: 600ms
            forecast_ends_keep_alive: on
            minimum_idle: 300ms
            memory_price: 0.1
            freeze_after: never

            """

        private func withAgent(_ configuration: String, _ body: (TestAgent, HearthClient) throws -> Void) throws {
            let on = configuration.contains("prediction:") ? "" : "prediction: on\n"
            let agent = try TestAgent(configuration: "analyze: on\n" + on + configuration)
            do {
                try body(agent, try agent.client())
            } catch {
                _ = agent.stop()
                throw error
            }
            let problems = agent.stop()
            #expect(problems.isEmpty, "\(problems)")
        }

        private func put(_ names: [String], _ client: HearthClient) throws {
            for name in names { try client.put(name, .command) { $0.argv = ["/bin/cat"] } }
        }

        private func isReady(_ name: String, _ client: HearthClient) throws -> Bool {
            try client.listSandboxes(function: name).contains { $0.state == "idle" && $0.invocations == 0 }
        }

        /// What the sources say of a function, by their names in the protocol.
        private func sources(_ name: String, _ client: HearthClient) throws -> [HearthSourceShare] {
            var request = HearthPredictRequest()
            request.function = name
            return try #require(try client.predict(request).predictions.first).sources
        }

        private static let period = 2.5

        private func rhythm(_ client: HearthClient, calls: Int) throws -> (kinds: [HearthStartKind], empty: Int) {
            var kinds: [HearthStartKind] = []
            var empty = 0
            var next = Date()
            for _ in 0..<calls {
                Thread.sleep(until: next)
                kinds.append(try client.invoke("beat").startKind)
                next += Self.period
                Thread.sleep(until: next - Self.period * 0.5)
                if try client.listSandboxes(function: "beat").isEmpty { empty += 1 }
            }
            return (kinds, empty)
        }

        @Test func aRhythmIsMetBeforeItsCallAndNotHeldInBetween() throws {
            try withAgent(Self.dear) { _, client in
                try put(["beat"], client)
                let seen = try rhythm(client, calls: 9)
                // Three gaps make a rhythm; from the fifth call on it is there before the call.
                #expect(seen.kinds.prefix(3).allSatisfy { $0 == .cold }, "\(seen.kinds)")
                #expect(seen.kinds.suffix(5).filter { $0 == .prefetched }.count >= 3, "\(seen.kinds)")
                #expect(seen.empty >= 6, "it was held in between: gone in \(seen.empty) of 9 pauses, \(seen.kinds)")
                let why = try sources("beat", client)
                #expect(why.contains { $0.source == "interval" && $0.probability > 0.5 }, "\(why)")
                let stats = try client.stats()
                #expect(
                    stats.gauges.contains { $0.name == "prediction.rhythm.hits" && $0.value >= 3 }, "\(stats.gauges)")
            }
        }

        @Test func withoutPredictionTheSameIsCold() throws {
            try withAgent("prediction: off\n" + Self.dear) { _, client in
                try put(["beat"], client)
                #expect(try rhythm(client, calls: 5).kinds.allSatisfy { $0 == .cold })
                let refused = try refusal { try client.predict(HearthPredictRequest()) }
                #expect(refused.code == .failedPrecondition)
            }
        }

        /// Rounds of A and then B at irregular times, so that only the order tells.
        private func sequence(_ client: HearthClient, user: String, rounds: Int) throws {
            for round in 0..<rounds {
                _ = try client.invoke("first") { $0.user = user }
                Thread.sleep(forTimeInterval: 0.3)
                _ = try client.invoke("second") { $0.user = user }
                Thread.sleep(forTimeInterval: [0.4, 1.7, 0.9, 2.6, 0.6, 1.3][round % 6])
            }
        }

        @Test func whatAUserCallsNextIsReadyAfterTheFirst() throws {
            try withAgent(Self.dear) { _, client in
                try put(["first", "second"], client)
                try sequence(client, user: "ada", rounds: 7)
                try eventually("nothing of it is left") {
                    try client.listSandboxes(function: "second").isEmpty
                }
                _ = try client.invoke("first") { $0.user = "ada" }
                try eventually("the second is ready after the first") { try isReady("second", client) }
                let why = try sources("second", client)
                #expect(
                    why.contains { ["sequence", "dependency"].contains($0.source) && $0.probability > 0.3 }, "\(why)")
                let answer = try client.invoke("second") { $0.user = "ada" }
                #expect(answer.startKind == .prefetched, "\(answer.summary)")
            }
        }

        /// Other users' days come from a log; the new one is served from what they did.
        @Test func aNewUserIsServedFromWhatSimilarUsersDo() throws {
            try withAgent(Self.dear) { _, client in
                try put(["first", "second", "other"], client)
                var log = ""
                let start = Date().timeIntervalSince1970 - 6000
                for user in 0..<40 {
                    let time = start + Double(user) * 97
                    log += "{\"time\": \(time), \"function\": \"first\", \"user\": \"u\(user)\"}\n"
                    log += "{\"time\": \(time + 1.5), \"function\": \"second\", \"user\": \"u\(user)\"}\n"
                    log += "{\"time\": \(time + 40), \"function\": \"other\", \"user\": \"u\(user)\"}\n"
                }
                let observed = try client.observe(HearthObserveRequest(), log: .bytes(Array(log.utf8)))
                #expect(observed.accepted == 120 && observed.refused == 0, "\(observed)")
                _ = try client.invoke("first") { $0.user = "newcomer" }
                try eventually("the second is ready for the new user") { try isReady("second", client) }
                var request = HearthPredictRequest()
                request.user = "newcomer"
                let next = try client.predict(request).predictions
                #expect(next.first?.function == "second", "\(next)")
                let answer = try client.invoke("second") { $0.user = "newcomer" }
                #expect(answer.startKind == .prefetched, "\(answer.summary)")
            }
        }

        @Test func anEventOnABoundTopicMakesItsFunctionReady() throws {
            try withAgent(Self.dear) { _, client in
                try client.put("bound", .command) {
                    $0.argv = ["/bin/cat"]
                    $0.labels = ["hearth.topics": "orders, returns"]
                }
                try put(["free"], client)
                #expect(try client.emitEvent(topic: "orders", key: "7").functions == ["bound"])
                #expect(try client.emitEvent(topic: "nobody").functions.isEmpty)
                try eventually("the bound function is ready") { try isReady("bound", client) }
                let unbound = try client.listSandboxes(function: "free")
                #expect(unbound.isEmpty)
                let why = try sources("bound", client)
                #expect(why.contains { $0.source == "dependency" }, "\(why)")
                #expect(try client.invoke("bound").startKind == .prefetched)
                _ = try client.deleteFunction("bound")
                #expect(try client.emitEvent(topic: "orders").functions.isEmpty)
                #expect(try refusal { try client.emitEvent(topic: "") }.code == .invalidArgument)
            }
        }

        /// What the code calls is expected before it was ever seen to.
        @Test func whatTheCodeCallsIsReadyAfterTheFirstCall() throws {
            try withAgent(Self.dear) { _, client in
                try put(["callee"], client)
                try client.put(
                    "caller", .python,
                    files: [
                        "app.py": "def handler(event, context):\n    return hearth.invoke('callee') if event else 1\n"
                    ])
                try eventually("the code is analysed", within: 60) {
                    try client.getFunction("caller").analysis.state == .done
                }
                #expect(try client.getFunction("caller").analysis.calls.map(\.target) == ["callee"])
                #expect(try client.invoke("caller", "0").outcome == .ok)
                try eventually("the callee is ready after the caller's first call") {
                    try isReady("callee", client)
                }
            }
        }
    }
}
