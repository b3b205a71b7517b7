import AgentTestSupport
import Foundation
import Glibc
import HearthClient
import Linux
import Testing
import Wire

extension AgentTests {
    /// Plans of a coordinator on real sandboxes. Each test has an agent of its own: generations only grow.
    @Suite @TestThread
    struct PlanTests {
        private func plan(
            _ generation: UInt64, ttl: UInt64 = 60_000_000_000, _ names: String...,
            change: (inout HearthPlanEntry) -> Void = { _ in }
        ) -> HearthPushPlanRequest {
            var request = HearthPushPlanRequest()
            request.generation = generation
            request.ttlNs = ttl
            request.coordinator = "tests"
            for name in names {
                var entry = HearthPlanEntry()
                entry.function = name
                entry.confidence = 0.95
                change(&entry)
                request.entries.append(entry)
            }
            return request
        }

        private func readyCount(_ client: HearthClient, _ function: String) throws -> Int {
            try client.listSandboxes(function: function).count { $0.state == "idle" || $0.state == "frozen" }
        }

        @Test func followedRefusedAndGoneOnFromAfterARestart() throws {
            let scratch = try ScratchDirectory()
            var agent = try TestAgent(scratch: scratch)
            do {
                let client = try agent.client()
                #expect(try client.getPlan().generation == 0)
                try client.put("kit", .python, files: PythonKit.files)
                let answer = try client.pushPlan(plan(7, "kit", "stranger") { $0.count = 2 })
                #expect(answer.generation == 7)
                #expect(answer.accepted == 1)
                #expect(answer.refused.map(\.function) == ["stranger"])
                #expect(answer.refused.first?.reason.contains("no function") == true)
                try eventually("both are ready") { try readyCount(client, "kit") == 2 }
                let first = try client.invoke("kit", "{}")
                #expect(first.startKind == .prefetched, "\(first.summary)")
                for generation in [7, 3] as [UInt64] {
                    let old = try refusal { try client.pushPlan(plan(generation, "kit")) }
                    #expect(old.code == .failedPrecondition)
                    #expect(old.message.contains("\(generation)") && old.message.contains("7"), "\(old.message)")
                }
                let shown = try client.getPlan()
                #expect(shown.generation == 7)
                #expect(shown.coordinator == "tests")
                #expect(shown.ttlNs == 60_000_000_000)
                #expect(shown.entries.map(\.function) == ["kit"])
                // Killed without a word: what it answered is on the disk.
                try agent.signal(SIGKILL)
                _ = try agent.waitForEnd()
            }
            agent = try TestAgent(scratch: scratch)
            let client = try agent.client()
            try eventually("the plan is followed without its coordinator") {
                try readyCount(client, "kit") == 2
            }
            let shown = try client.getPlan()
            #expect(shown.generation == 7)
            #expect(shown.ageNs > 0)
            #expect(shown.entries.first?.count == 2)
            #expect(try refusal { try client.pushPlan(plan(7, "kit")) }.code == .failedPrecondition)
            #expect(try client.pushPlan(plan(8)).accepted == 0)
            #expect(agent.stop().isEmpty)
        }

        /// With a bound on what runs at once, others wait for it; what a plan reserves is not theirs.
        @Test func reservedProcessorsAreKept() throws {
            try withAgent("cpu_budget: 2") { agent, client in
                for name in ["busy", "kit"] {
                    try client.put(name, .python, files: PythonKit.files) { $0.maxConcurrency = 4 }
                }
                func run(_ name: String, _ count: Int) -> [Background<HearthInvokeResponse>] {
                    (0..<count).map { _ in
                        Background { try agent.client().invoke(name, "{\"do\":\"sleep\",\"seconds\":0.8}") }
                    }
                }
                func waits(_ results: [HearthInvokeResponse]) -> Int {
                    results.count { $0.timing.queuedNs > 300_000_000 }
                }
                // Three starts are made for three requests, but two run at once.
                _ = try run("busy", 3).map { try $0.join() }
                #expect(waits(try run("busy", 3).map { try $0.join() }) == 1)
                #expect(try client.pushPlan(plan(1, "kit") { $0.reservedCpus = 1 }).refused.isEmpty)
                try client.waitForIdle(1, .ready, function: "kit")
                let busy = run("busy", 2)
                try eventually("one runs") { try client.gauge("pool.running_cpus") == 1 }
                let kit = try client.invoke("kit", "{}")
                #expect(kit.outcome == .ok && kit.timing.queuedNs < 300_000_000, "\(kit.summary)")
                #expect(waits(try busy.map { try $0.join() }) == 1)
                // More than there is to have is refused, and said so; nothing else of the entry is.
                let greedy = try client.pushPlan(plan(2, "kit") { $0.reservedCpus = 8 })
                #expect(greedy.refused.first?.function == "kit")
            }
        }

        @Test func anExpiredPlanFades() throws {
            let agent = try TestAgent()
            let client = try agent.client()
            try client.put("kit", .python, files: PythonKit.files)
            _ = try client.pushPlan(plan(1, ttl: 6_000_000_000, "kit"))
            try eventually("it is ready", within: 5.5) { try readyCount(client, "kit") == 1 }
            try eventually("its sandbox goes with it") {
                try client.listSandboxes(function: "kit").isEmpty
            }
            let shown = try client.getPlan()
            #expect(shown.generation == 1)
            #expect(shown.ageNs >= shown.ttlNs)
            #expect(shown.entries.isEmpty)
            #expect(agent.stop().isEmpty)
        }

        @Test func entriesThatFollow() throws {
            let agent = try TestAgent()
            let client = try agent.client()
            try client.put("kit", .python, files: PythonKit.files)
            // More than a message holds, so the client sends it behind; nearly all of it is of functions nobody knows.
            var large = plan(1, "kit")
            for index in 0..<30_000 {
                var entry = HearthPlanEntry()
                entry.function = "nobody-\(index)-" + String(repeating: "x", count: 30)
                entry.confidence = 0.5
                large.entries.append(entry)
            }
            let answer = try client.pushPlan(large, options: .patient)
            #expect(answer.accepted == 1)
            #expect(answer.refused.count == 1000, "the first of them are listed")
            #expect(try client.getPlan().entries.count == 1)
            // Bytes that are no entries leave the plan as it was.
            var broken = plan(2)
            broken.entriesFollow = true
            for bytes in [[5, 1, 2], [0xff, 0xff, 0xff, 0xff, 0xff, 0xff], [2, 0xff, 0xff]] as [[UInt8]] {
                let error = try refusal {
                    let _: HearthPushPlanResponse = try client.call(
                        .pushPlan, broken, options: .patient, upload: .bytes(bytes))
                }
                #expect(error.code == .invalidArgument, "\(bytes): \(error.message)")
            }
            #expect(try client.getPlan().generation == 1)
            #expect(agent.stop().isEmpty)
        }

        @Test func whatIsWrongWithAnEntry() throws {
            let agent = try TestAgent()
            let client = try agent.client()
            try client.put("kit", .python, files: PythonKit.files)
            let wrong: [(String, (inout HearthPlanEntry) -> Void)] = [
                ("confidence", { $0.confidence = 1.5 }),
                ("confidence", { $0.confidence = .nan }),
                ("window", { ($0.windowStartNs, $0.windowEndNs) = (9, 5) }),
                ("count", { $0.count = 1 << 20 }),
                ("reserved_cpus", { $0.reservedCpus = -1 }),
                ("reserved_memory", { $0.reservedMemoryBytes = 1 << 60 }),
            ]
            for (index, (word, change)) in wrong.enumerated() {
                let answer = try client.pushPlan(plan(UInt64(index + 1), "kit", change: change))
                #expect(answer.accepted == 0, "\(word)")
                #expect(answer.refused.first?.reason.contains(word) == true, "\(answer.refused)")
            }
            // A reservation beyond what is there is said, and the entry holds without it.
            let answer = try client.pushPlan(plan(100, "kit") { $0.reservedMemoryBytes = 1 << 40 })
            #expect(answer.accepted == 1)
            #expect(answer.refused.first?.reason.contains("reservation") == true, "\(answer.refused)")
            #expect(try refusal { try client.pushPlan(plan(0, "kit")) }.code == .invalidArgument)
            #expect(agent.stop().isEmpty)
        }

        /// The client in another language pushes a plan, and the next start of its function is prefetched.
        @Test func thePythonClientPushesAPlan() throws {
            let agent = try TestAgent()
            let client = try agent.client()
            try client.put("kit", .python, files: PythonKit.files)
            let script = """
                import sys, time
                from hearth_client import Client
                from hearth_client.histogram import percentile
                from hearth_client.messages import PlanEntry, StartKind, Phase
                with Client() as agent:
                    answer = agent.push_plan(1, [PlanEntry(function="kit", confidence=0.9)], ttl=60, coordinator="python")
                    assert answer.accepted == 1, answer
                    assert agent.get_plan().coordinator == "python"
                    deadline = time.monotonic() + 30
                    while not any(s.state == "idle" for s in agent.ps("kit")):
                        assert time.monotonic() < deadline, agent.ps()
                        time.sleep(0.02)
                    first = agent.invoke("kit", {})
                    assert first.start_kind == StartKind.PREFETCHED, first
                    pulled = agent.pull_latency()
                    total = pulled.find("kit", StartKind.PREFETCHED, Phase.TOTAL)
                    assert total.total == 1, total
                    assert abs(percentile(total, 50) - first.timing.total_ns) <= first.timing.total_ns / 50 + 2048
                    again = agent.pull_latency(pulled)
                    assert not again.series, again
                    kinds = [entry.kind for entry in agent.pull_journal()]
                    assert "plan" in kinds and "prefetch" in kinds and "invocation" in kinds, kinds
                    assert agent.prefetch("kit", count=2, wait=True).started == 1
                    assert agent.evict(function="kit").evicted == 2
                    assert agent.drain(exit=True).ended == 0
                """
            let output = try Command.run(
                ["/usr/bin/python3", "-c", script],
                environment: [
                    "HEARTH_SOCKET": agent.socket, "PYTHONPATH": try BuildProducts.repository("protocol/python"),
                    "PYTHONDONTWRITEBYTECODE": "1",
                ], within: 60)
            #expect(output.status == 0, "\(output.errors)")
            #expect(try agent.waitForEnd() == .status(0))
            #expect(try agent.leftovers().isEmpty)
        }
    }
}
