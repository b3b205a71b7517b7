import AgentTestSupport
import Glibc
import HearthClient
import Linux
import Testing
import Wire

extension AgentTests {
    /// Prefetch, Evict and Drain on real sandboxes.
    @Suite @TestThread
    struct ControlTests {
        let agent: TestAgent
        init() throws { agent = try TestAgent.shared() }

        private func prefetch(
            _ client: HearthClient, _ function: String = "kit",
            _ change: (inout HearthPrefetchRequest) -> Void = { _ in }
        ) throws -> HearthPrefetchResponse {
            var request = HearthPrefetchRequest()
            request.function = function
            request.wait = true
            change(&request)
            return try client.prefetch(request, options: .patient)
        }

        @Test func theNextStartIsPrefetched() throws {
            try PythonKit.with(in: agent) { client in
                let answer = try prefetch(client)
                #expect(answer.started == 1)
                #expect(answer.present == 0)
                #expect(answer.sandboxIds.count == 1)
                let sandbox = try #require(try client.listSandboxes(function: "kit").first)
                #expect(answer.sandboxIds == [sandbox.id])
                #expect(sandbox.tier == .ready)
                #expect(sandbox.invocations == 0)
                let first = try client.invoke("kit", "{}")
                #expect(first.startKind == .prefetched, "\(first.summary)")
                #expect(first.sandboxID == sandbox.id)
                #expect(first.timing.sandboxNs == 0 && first.timing.initNs == 0)
                #expect(try client.invoke("kit", "{}").startKind == .warm)
                // One that is there counts.
                let again = try prefetch(client)
                #expect(again.present == 1)
                #expect(again.started == 0)
            }
        }

        @Test func asManyAsWanted() throws {
            try PythonKit.with(in: agent) { client in
                let answer = try prefetch(client) { $0.count = 4 }
                #expect(answer.started == 4)
                #expect(Set(answer.sandboxIds).count == 4)
                let starts = try concurrently(4) { [agent] _ in
                    let client = try agent.client()
                    return try client.invoke("kit", "{\"do\":\"sleep\",\"seconds\":0.2}").startKind
                }
                #expect(starts == Array(repeating: .prefetched, count: 4), "\(starts)")
            }
        }

        /// Nobody came: the sandbox goes, and the ledger knows.
        @Test func aPrefetchAges() throws {
            try PythonKit.with(in: agent) { client in
                _ = try prefetch(client) { $0.ttlNs = 1_500_000_000 }
                #expect(try client.listSandboxes(function: "kit").count == 1)
                try eventually("it is let go") { try client.listSandboxes(function: "kit").isEmpty }
            }
        }

        @Test func withoutWaitingItReturnsAtOnce() throws {
            try PythonKit.with(in: agent) { client in
                let answer = try prefetch(client) { $0.wait = false }
                #expect(answer.started == 1)
                try eventually("it comes") {
                    try client.listSandboxes(function: "kit").contains { $0.state == "idle" }
                }
                #expect(try client.invoke("kit", "{}").startKind == .prefetched)
            }
        }

        @Test func whatCannotBePrefetched() throws {
            let client = try agent.client()
            try withFunctions(["broken", "kit"], of: agent) {
                try client.put("kit", .python, files: PythonKit.files) { $0.maxConcurrency = 2 }
                let many = try refusal { try prefetch(client) { $0.count = 3 } }
                #expect(many.code == .invalidArgument)
                #expect(many.message.contains("max_concurrency 2"), "\(many.message)")
                let none = try refusal { try prefetch(client, "nobody") }
                #expect(none.code == .notFound)
                let unlikely = try refusal { try prefetch(client) { $0.confidence = 0.01 } }
                #expect(unlikely.code == .failedPrecondition)
                #expect(unlikely.message.contains("threshold"), "\(unlikely.message)")
                let wrong = try refusal { try prefetch(client) { $0.confidence = 7 } }
                #expect(wrong.code == .invalidArgument)
                // A function that cannot start says why, and does not leave the caller waiting.
                try client.put("broken", .python, files: ["app.py": "raise RuntimeError('no such colour')\n"])
                let (time, broken) = try milliseconds { try refusal { try prefetch(client, "broken") } }
                #expect(broken.code == .failedPrecondition)
                #expect(broken.message.contains("no such colour"), "\(broken.message)")
                #expect(time < 30_000)
            }
        }

        @Test func evictingByFunctionSandboxAndAll() throws {
            try PythonKit.with(in: agent) { client in
                try client.put("other", .python, files: PythonKit.files)
                try withFunctions(["other"], of: agent) {
                    _ = try prefetch(client) { $0.count = 2 }
                    _ = try prefetch(client, "other")
                    // One of the two runs, and stays.
                    var busy = HearthInvokeRequest()
                    busy.function = "kit"
                    busy.payload = .init("{\"do\":\"sleep\",\"seconds\":1.5}".utf8)
                    let pending = try client.begin(busy, options: .patient)
                    try eventually("it runs") {
                        try client.listSandboxes(function: "kit").contains { $0.state == "running" }
                    }
                    var request = HearthEvictRequest()
                    request.function = "kit"
                    let answer = try client.evict(request)
                    #expect(answer.evicted == 1)
                    #expect(answer.running == 1)
                    #expect(try client.finish(pending, options: .patient).outcome == .ok)
                    #expect(try client.listSandboxes(function: "other").count == 1)
                    let left = try #require(try client.listSandboxes(function: "other").first)
                    var one = HearthEvictRequest()
                    one.sandboxID = left.id
                    #expect(try client.evict(one).evicted == 1)
                    try eventually("it is gone") { try client.listSandboxes(function: "other").isEmpty }
                    #expect(try refusal { try client.evict(one) }.code == .notFound)
                    var all = HearthEvictRequest()
                    all.all = true
                    #expect(try client.evict(all).evicted >= 1)
                    try eventually("all are gone") { try client.listSandboxes().isEmpty }
                    #expect(try refusal { try client.evict(HearthEvictRequest()) }.code == .invalidArgument)
                }
            }
        }
    }

    /// Prefetch and Evict of the lower tiers, on an agent that keeps them.
    @Suite @TestThread
    struct LowerTierControlTests {
        @Test func runtimeSandboxesOnRequest() throws {
            let agent = try TestAgent(configuration: "runtime_pool: 1")
            let client = try agent.client()
            try client.put("kit", .python, files: PythonKit.files)
            try client.put("program", .command) { $0.argv = ["/bin/cat"] }
            func runtimes() throws -> Int {
                try client.listSandboxes().count { $0.tier == .runtime && $0.state == "idle" }
            }
            #expect(try client.invoke("kit", "{}").outcome == .ok)
            try eventually("the pool has its one") { try runtimes() == 1 }
            // In place of what is evicted one of the lower tier comes, above what the pool keeps by itself.
            var evict = HearthEvictRequest()
            evict.function = "kit"
            evict.toTier = .runtime
            #expect(try client.evict(evict).evicted == 1)
            try eventually("one more is there") { try runtimes() == 2 }
            var request = HearthPrefetchRequest()
            request.function = "kit"
            request.tier = .runtime
            request.count = 3
            request.wait = true
            let answer = try client.prefetch(request, options: .patient)
            #expect(answer.sandboxIds.count >= 3)
            #expect(try runtimes() >= 3)
            #expect(try client.invoke("kit", "{}").startKind == .runtime)
            request.function = "program"
            let none = try refusal { try client.prefetch(request, options: .patient) }
            #expect(none.code == .failedPrecondition, "\(none.message)")
            evict.toTier = .ready
            #expect(try refusal { try client.evict(evict) }.code == .invalidArgument)
            #expect(agent.stop().isEmpty)
        }
    }

    /// Each with an agent of its own: none answers after its drain as before.
    @Suite @TestThread
    struct DrainTests {
        private func drain(
            _ client: HearthClient, timeout: UInt64 = 0, exit: Bool = false
        ) throws -> HearthDrainResponse {
            var request = HearthDrainRequest()
            request.timeoutNs = timeout
            request.exit = exit
            return try client.drain(request, options: .patient)
        }

        @Test func whatRunsFinishesAndNothingNewIsTaken() throws {
            let agent = try TestAgent()
            let client = try agent.client()
            try client.put("kit", .python, files: PythonKit.files)
            var request = HearthInvokeRequest()
            request.function = "kit"
            request.payload = .init("{\"do\":\"sleep\",\"seconds\":2}".utf8)
            let pending = try client.begin(request, options: .patient)
            try eventually("it runs") { try client.listSandboxes().contains { $0.state == "running" } }
            let draining = Background { [agent] in
                let client = try agent.client()
                var request = HearthDrainRequest()
                request.exit = true
                return try client.drain(request, options: .patient)
            }
            let other = try agent.client()
            try eventually("the agent refuses") {
                do {
                    // Refused either way, and so nothing that the drain would wait for.
                    _ = try other.invoke("nobody", "{}")
                    return false
                } catch HearthClientError.agent(let error) {
                    return error.code == .unavailable && error.retryable && !error.remedy.isEmpty
                }
            }
            #expect(try refusal { try other.invoke("kit", "{}") }.code == .unavailable)
            #expect(try refusal { try other.put("more", .python, files: PythonKit.files) }.code == .unavailable)
            // What only looks is answered.
            #expect(try other.listSandboxes().count == 1)
            let answer = try client.finish(pending, options: .patient)
            #expect(answer.outcome == .ok, "\(answer.summary)")
            let drained = try draining.join()
            #expect(drained.finished == 1)
            #expect(drained.ended == 0)
            #expect(try agent.waitForEnd() == .status(0))
            #expect(try agent.leftovers().isEmpty)
        }

        @Test func itsTimeoutEndsTheRest() throws {
            let agent = try TestAgent()
            let client = try agent.client()
            try client.put("kit", .python, files: PythonKit.files)
            var request = HearthInvokeRequest()
            request.function = "kit"
            request.payload = .init("{\"do\":\"sleep\",\"seconds\":25}".utf8)
            let pending = try client.begin(request, options: .patient)
            try eventually("it runs") { try client.listSandboxes().contains { $0.state == "running" } }
            let (time, drained) = try milliseconds { try drain(try agent.client(), timeout: 300_000_000) }
            #expect(drained.finished == 0)
            #expect(drained.ended == 1)
            #expect(time < 15_000, "\(time) ms")
            #expect(try client.finish(pending, options: .patient).outcome == .timeout)
            // Without `exit` it goes on answering what changes nothing, and stops in no time.
            #expect(try client.listSandboxes().isEmpty)
            #expect(try drain(client).finished >= 0)
            let (stopping, problems) = milliseconds { agent.stop() }
            #expect(problems.isEmpty, "\(problems)")
            #expect(stopping < 9000, "\(stopping) ms")
        }
    }
}
