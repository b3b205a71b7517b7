import AgentTestSupport
import Foundation
import HearthClient
import Testing
import Wire

extension AgentTests {
    /// Many requests at once, and who serves them.
    @Suite @TestThread
    struct BurstTests {
        /// 200 requests to one function on a cold node: no more sandboxes than it may have, and none fails inside its deadline.
        @Test func aBurstOnAColdNode() throws {
            try withAgent("max_queue: 500") { agent, client in
                try client.put("kit", .python, files: PythonKit.files) { $0.maxConcurrency = 4 }
                let outcomes = try concurrently(4) { caller -> [HearthInvokeResponse] in
                    let client = try agent.client()
                    let pending = try (0..<50).map { index -> PendingInvocation in
                        var request = HearthInvokeRequest()
                        request.function = "kit"
                        request.payload = .init(
                            "{\"do\":\"sleep\",\"seconds\":0.002,\"tag\":\(caller * 50 + index)}".utf8)
                        return try client.begin(request, options: .patient)
                    }
                    return try pending.map { try client.finish($0, options: .patient) }
                }.flatMap { $0 }
                #expect(outcomes.count == 200)
                for answer in outcomes { #expect(answer.outcome == .ok, "\(answer.summary)") }
                struct Answer: Decodable { var tag: Int }
                let tags = Set(try outcomes.map { try JSONDecoder().decode(Answer.self, from: $0.payload).tag })
                #expect(tags.count == 200, "two requests had one answer")
                #expect(Set(outcomes.map(\.sandboxID)).count <= 4)
                #expect(try client.gauge("pool.created") <= 4)
                #expect(try client.listSandboxes(function: "kit").count <= 4)
                let kinds = Dictionary(grouping: outcomes, by: \.startKind).mapValues(\.count)
                #expect((kinds[.cold] ?? 0) <= 4 && (kinds[.warm] ?? 0) >= 196, "\(kinds)")
            }
        }

        /// Requests of one client that come together while the first start is under way begin no more starts than there are requests.
        @Test func startsAreSingleFlight() throws {
            try withAgent("") { agent, client in
                try client.put("one", .python, files: PythonKit.files) { $0.maxConcurrency = 1 }
                let answers = try concurrently(8) { _ in try agent.client().invoke("one", "{\"do\":\"count\"}") }
                #expect(answers.allSatisfy { $0.outcome == .ok }, "\(answers.map(\.summary))")
                #expect(Set(answers.map(\.text)) == Set((1...8).map(String.init)))
                #expect(try client.gauge("pool.created") == 1)
            }
        }

        /// A request whose own start takes long is served by the sandbox that frees meanwhile.
        @Test func aRequestTakesWhicheverComesFirst() throws {
            try withAgent("") { agent, client in
                let source = """
                    import os, time
                    if os.path.exists("/tmp") and os.environ.get("SLOW"): time.sleep(3)
                    def handler(event, context):
                        time.sleep(event)
                        return "done"
                    """
                try client.put("slow", .python, files: ["app.py": source]) {
                    $0.env = ["SLOW": "1"]
                    $0.maxConcurrency = 4
                }
                let first = try client.invoke("slow", "0.001")
                #expect(first.startKind == .cold, "\(first.summary)")
                let busy = Background { try agent.client().invoke("slow", "0.5") }
                try eventually("it runs") {
                    try client.listSandboxes(function: "slow").first?.state == "running"
                }
                let (waited, second) = try milliseconds { try client.invoke("slow", "0.001") }
                #expect(try busy.join().outcome == .ok)
                #expect(second.outcome == .ok && second.startKind == .warm, "\(second.summary)")
                #expect(second.sandboxID == first.sandboxID)
                #expect(waited < 2900, "\(waited) ms, as long as a start of its own")
            }
        }

        /// A floor is kept, from the registration on and after a use; what it keeps is there before the request.
        @Test func aFloorIsKept() throws {
            try withAgent("") { _, client in
                try client.put("floor", .python, files: PythonKit.files) { $0.minReady = 2 }
                try client.waitForIdle(2, .ready, function: "floor")
                let info = try #require(try client.idle(.ready, function: "floor").first)
                #expect(info.reason.contains("minimum ready"), "\(info.reason)")
                let answer = try client.invoke("floor", "{\"do\":\"exit\",\"status\":3}")
                #expect(answer.outcome == .crashed && answer.startKind == .prefetched, "\(answer.summary)")
                try client.waitForIdle(2, .ready, function: "floor")
                let next = try client.invoke("floor", "{\"do\":\"count\"}")
                #expect(next.outcome == .ok && next.startKind == .prefetched, "\(next.summary)")
                #expect(try client.gauge("ledger.hit") == 2)
                #expect(try client.gauge("ledger.floor.started") >= 3)
            }
        }
    }
}
