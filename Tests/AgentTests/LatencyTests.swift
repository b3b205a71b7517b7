import AgentTestSupport
import HearthClient
import Testing
import Wire

extension AgentTests {
    /// Latencies as a coordinator pulls them.
    @Suite @TestThread
    struct LatencyTests {
        let agent: TestAgent
        init() throws { agent = try TestAgent.shared() }

        private func pull(
            _ client: HearthClient, after: HearthPullLatencyResponse? = nil, function: String = "kit"
        ) throws -> HearthPullLatencyResponse {
            var request = HearthPullLatencyRequest()
            request.function = function
            if let after {
                request.cursor = after.cursor
                request.bootID = after.bootID
            }
            return try client.pullLatency(request, options: .patient)
        }

        private func count(_ response: HearthPullLatencyResponse, _ start: HearthStartKind) -> UInt64 {
            response.series.first { $0.startKind == start && $0.phase == .total }?.histogram.total ?? 0
        }

        @Test func figuresByStartKindAndPhase() throws {
            try PythonKit.with(in: agent) { client in
                let cold = try client.invoke("kit", "{}")
                let warm = try (0..<5).map { _ in try client.invoke("kit", "{}") }
                let all = try pull(client)
                #expect(all.series.allSatisfy { $0.function == "kit" })
                let kinds = Set(all.series.map(\.startKind))
                #expect(kinds == [.cold, .warm], "\(kinds)")
                func series(_ start: HearthStartKind, _ phase: HearthPhase) throws -> HearthHistogram {
                    try #require(all.series.first { $0.startKind == start && $0.phase == phase }?.histogram)
                }
                #expect(Set(all.series.filter { $0.startKind == .cold }.map(\.phase)).count == 5)
                let total = try series(.cold, .total)
                #expect(total.total == 1)
                #expect(total.sumNs == cold.timing.totalNs)
                #expect(total.minNs == cold.timing.totalNs && total.maxNs == cold.timing.totalNs)
                let median = Double(try #require(total.quantile(0.5)))
                #expect(abs(median / Double(cold.timing.totalNs) - 1) < 0.02)
                let runs = try series(.warm, .run)
                #expect(runs.total == 5)
                #expect(runs.sumNs == warm.reduce(0) { $0 + $1.timing.runNs })
                #expect(runs.maxNs == warm.map(\.timing.runNs).max())
                #expect(runs.significantDigits == 2 && runs.lowestNs == 1024)
                #expect(all.intervalNs > 0)
            }
        }

        /// Two pullers, each with its own pace; one repeats a pull whose answer it lost.
        @Test func nothingIsLostBetweenPulls() throws {
            try PythonKit.with(in: agent) { client in
                _ = try client.invoke("kit", "{}")
                var fast = try pull(client)
                let slow = try pull(client)
                var seen = count(fast, .warm) + count(fast, .cold)
                for round in 1...4 {
                    for _ in 0..<round { _ = try client.invoke("kit", "{}") }
                    // An answer that never arrived: asked again with the same cursor.
                    let lost = try pull(client, after: fast)
                    #expect(count(lost, .warm) == UInt64(round))
                    let answer = try pull(client, after: fast)
                    #expect(count(answer, .warm) == UInt64(round), "a repeated pull brings the same again")
                    seen += count(answer, .warm)
                    fast = answer
                }
                #expect(seen == 11)
                #expect(count(try pull(client, after: slow), .warm) == 10)
                #expect(try pull(client, after: fast).series.isEmpty)
            }
        }

        @Test func cursorsThatAreNone() throws {
            try PythonKit.with(in: agent) { client in
                _ = try client.invoke("kit", "{}")
                var first = try pull(client)
                let cursor = first.cursor
                first.cursor = 1 << 60
                let unknown = try refusal { try pull(client, after: first) }
                #expect(unknown.code == .failedPrecondition)
                #expect(unknown.remedy.contains("cursor 0"))
                first.cursor = cursor
                #expect(try refusal { try pull(client, after: first, function: "") }.code == .invalidArgument)
                #expect(try refusal { try pull(client, function: "nobody") }.code == .notFound)
                // Of another run of the agent: everything of this one.
                first.bootID = "another"
                #expect(count(try pull(client, after: first), .cold) == 1)
                first.bootID = ""
                #expect(try refusal { try pull(client, after: first) }.code == .invalidArgument)
                // In one message, for clients that take no DATA.
                var plain = HearthPullLatencyRequest()
                plain.function = "kit"
                let whole: HearthPullLatencyResponse = try client.call(.pullLatency, plain, options: .patient)
                #expect(count(whole, .cold) == 1)
            }
        }

        /// What never ran has waited, too.
        @Test func rejectedRequestsAreCounted() throws {
            try PythonKit.with(in: agent) {
                $0.maxConcurrency = 1
            } _: { client in
                _ = try client.invoke("kit", "{}")
                let before = try pull(client)
                let pending = try (0..<30).map { _ in
                    var request = HearthInvokeRequest()
                    request.function = "kit"
                    request.payload = .init("{\"do\":\"sleep\",\"seconds\":0.01}".utf8)
                    return try client.begin(request, options: .patient)
                }
                let answers = try pending.map { try client.finish($0, options: .patient) }
                let rejected = UInt64(answers.count { $0.outcome == .rejected })
                #expect(rejected > 0)
                let after = try pull(client, after: before)
                #expect(count(after, .unspecified) == rejected)
                #expect(count(after, .warm) == 30 - rejected)
            }
        }
    }
}
