import AgentTestSupport
import HearthClient
import Testing
import Wire

extension AgentTests {
    /// The journal as a coordinator reads it.
    @Suite @TestThread
    struct JournalTests {
        let agent: TestAgent
        init() throws { agent = try TestAgent.shared() }

        /// Everything after a number.
        private func entries(_ client: HearthClient, after cursor: UInt64, limit: UInt32 = 0) throws
            -> [HearthJournalEntry]
        {
            var request = HearthPullJournalRequest()
            request.cursor = cursor
            request.limit = limit
            var all: [HearthJournalEntry] = []
            while true {
                let page = try client.pullJournal(request, options: .patient)
                all += page.entries
                #expect(limit == 0 || page.entries.count <= Int(limit))
                guard page.more else { return all }
                #expect(page.cursor > request.cursor)
                request.cursor = page.cursor
            }
        }

        private func last(_ client: HearthClient) throws -> UInt64 {
            try entries(client, after: 0).last?.sequence ?? 0
        }

        @Test func kindsAndFields() throws {
            let client = try agent.client()
            let start = try last(client)
            try PythonKit.with(in: agent) { client in
                var prefetch = HearthPrefetchRequest()
                prefetch.function = "kit"
                prefetch.wait = true
                _ = try client.prefetch(prefetch, options: .patient)
                let answer = try client.invoke("kit", "{\"do\":\"throw\"}") {
                    $0.user = "ada"
                    $0.session = "s-1"
                }
                #expect(answer.outcome == .functionError)
                let found = try entries(client, after: start)
                let invocation = try #require(found.first { $0.kind == "invocation" })
                #expect(invocation.function == "kit")
                #expect(invocation.sandboxID == answer.sandboxID)
                #expect(invocation.unixMs > 1_700_000_000_000)
                let expected = [
                    "invocation": answer.invocationID, "outcome": "function_error", "start": "prefetched",
                    "user": "ada",
                    "session": "s-1", "error": "LookupError", "run_us": "\(answer.timing.runNs / 1000)",
                    "total_us": "\(answer.timing.totalNs / 1000)", "queued_us": "\(answer.timing.queuedNs / 1000)",
                    "sandbox_us": "0", "init_us": "0", "payload_bytes": "14",
                ]
                for (key, value) in expected {
                    #expect(invocation.fields[key] == value, "\(key): \(invocation.fields)")
                }
                let prefetches = found.filter { $0.kind == "prefetch" }
                #expect(prefetches.map { $0.fields["action"] ?? "" } == ["started", "hit"], "\(prefetches)")
                #expect(prefetches.allSatisfy { $0.function == "kit" && $0.fields["source"] == "request" })
                #expect(prefetches.allSatisfy { $0.sandboxID == answer.sandboxID })
                #expect(found.contains { $0.kind == "function" && $0.fields["action"] == "put" })
                #expect(found.contains { $0.kind == "control" && $0.fields["action"] == "prefetch" })
            }
        }

        @Test func pagesAreInOrderAndWithoutGaps() throws {
            try PythonKit.with(in: agent) { client in
                let start = try last(client)
                for _ in 0..<25 { _ = try client.invoke("kit", "{}") }
                let paged = try entries(client, after: start, limit: 4)
                #expect(paged.count { $0.kind == "invocation" } == 25)
                #expect(zip(paged, paged.dropFirst()).allSatisfy { $0.sequence + 1 == $1.sequence })
                #expect(paged.first?.sequence == start + 1)
                let whole = try entries(client, after: start)
                #expect(whole.prefix(paged.count).map(\.sequence) == paged.map(\.sequence))
                var beyond = HearthPullJournalRequest()
                beyond.cursor = 1 << 60
                let error = try refusal { try client.pullJournal(beyond) }
                #expect(error.code == .failedPrecondition)
                #expect(error.remedy.contains("cursor 0"))
            }
        }

        @Test func following() throws {
            try PythonKit.with(in: agent) { client in
                let start = try last(client)
                _ = try client.invoke("kit", "{}")
                let follower = Background { [agent] in
                    let client = try agent.client()
                    var seen: [HearthJournalEntry] = []
                    try client.followJournal(after: start, options: .patient) { entry in
                        seen.append(entry)
                        return seen.count { $0.kind == "invocation" } == 21 ? .stop : .more
                    }
                    return seen
                }
                for _ in 0..<20 { _ = try client.invoke("kit", "{}") }
                let seen = try follower.join()
                #expect(seen.count { $0.kind == "invocation" } == 21)
                #expect(seen.first?.sequence == start + 1)
                #expect(zip(seen, seen.dropFirst()).allSatisfy { $0.sequence + 1 == $1.sequence })
                // The agent goes on after one that left.
                #expect(try client.invoke("kit", "{}").outcome == .ok)
            }
        }
    }
}
