import AgentTestSupport
import Foundation
import Glibc
import Linux
import Testing

extension HearthTests {
    /// Control from the command line: prefetch, evict, plans, latencies, the journal, top.
    @Suite @TestThread
    struct ControlCommandTests {
        let hearth: HearthCommand
        init() throws { hearth = try HearthCommand() }

        private func object(_ arguments: String..., input: [UInt8]? = nil) throws -> [String: Any] {
            let output = try hearth.run(arguments, input: input)
            try #require(output.status == 0, "\(output.errors)")
            return try #require(try JSONSerialization.jsonObject(with: Data(output.bytes)) as? [String: Any])
        }

        private func lines(_ arguments: String...) throws -> [[String: Any]] {
            let output = try hearth.run(arguments)
            try #require(output.status == 0, "\(output.errors)")
            return try output.text.split(separator: "\n").map {
                try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
            }
        }

        @Test func prefetchInvokeAndWhatIsToldOfIt() throws {
            try hearth.must("function", "put", "ahead", "--runtime", "command", "--", "cat")
            defer { _ = try? hearth("function", "delete", "ahead") }
            let before = try lines("journal", "--json").last?["sequence"] as? Int ?? 0
            let prefetched = try object("prefetch", "ahead", "--count", "2", "--ttl", "5m", "--wait", "--json")
            #expect(prefetched["started"] as? Int == 2, "\(prefetched)")
            #expect((prefetched["sandboxes"] as? [String])?.count == 2)
            let first = try object("invoke", "ahead", "--data", "\"x\"", "--user", "ada", "--json")
            #expect(first["start"] as? String == "prefetched", "\(first)")

            let latencies =
                try JSONSerialization.jsonObject(with: Data(try hearth("latency", "ahead", "--json").bytes))
                as? [[String: Any]] ?? []
            let total = try #require(latencies.first { $0["phase"] as? String == "total" }, "\(latencies)")
            #expect(total["start"] as? String == "prefetched")
            #expect(total["count"] as? Int == 1)
            #expect((total["p50_us"] as? Int ?? 0) > 0)
            #expect(try hearth("latency").text.hasPrefix("FUNCTION"))

            let journal = try lines("journal", "--json", "--after", "\(before)")
            let invocation = try #require(journal.first { $0["kind"] as? String == "invocation" }, "\(journal)")
            #expect((invocation["fields"] as? [String: String])?["start"] == "prefetched")
            #expect(try hearth("journal", "--kind", "prefetch").text.contains("ahead"))

            // What the journal prints for it, the replay reads.
            let scratch = try ScratchDirectory()
            let trace = try hearth.must("journal", "--replay", "--after", "\(before)")
            let line = try #require(
                try JSONSerialization.jsonObject(with: Data(trace.text.split(separator: "\n")[0].utf8))
                    as? [String: Any])
            #expect(line["user"] as? String == "ada")
            #expect(line["start"] as? String == "prefetched")
            #expect(line["outcome"] as? String == "ok")
            #expect((line["timing_us"] as? [String: Any])?["run"] is Int)
            let file = try scratch.write(trace.text, to: "trace.jsonl")
            let replayed = try object("replay", file, "--policy", "fixed:10", "--json")
            let row = (replayed["rows"] as? [[String: Any]])?.first
            #expect(row?["invocations"] as? Int == 1, "\(replayed)")

            let evicted = try object("evict", "ahead", "--json")
            #expect(evicted["evicted"] as? Int == 2, "\(evicted)")
            #expect(try hearth("evict", "ahead").text.hasPrefix("0 evicted"))
            #expect(try hearth("evict").status == 64)
            #expect(try hearth("prefetch", "ahead", "--confidence", "7").status == 64)
            let nobody = try hearth("prefetch", "nobody")
            #expect(nobody.status == 1)
            #expect(nobody.errors.contains("nobody"))
        }

        @Test func plansArePushedAndShown() throws {
            try hearth.must("function", "put", "planned", "--runtime", "command", "--", "cat")
            defer { _ = try? hearth("function", "delete", "planned") }
            let plan = """
                {"ttl": "10m", "coordinator": "people", "entries": [
                  {"function": "planned", "confidence": 0.9, "count": 2, "tier": "ready", "priority": 1,
                   "window": ["0s", "90s"], "reserved_memory": "1M"},
                  {"function": "nobody", "confidence": 0.5}]}
                """
            let pushed = try object("plan", "push", "-", "--json", input: Array(plan.utf8))
            #expect(pushed["accepted"] as? Int == 1, "\(pushed)")
            #expect((pushed["refused"] as? [[String: Any]])?.first?["function"] as? String == "nobody")
            let generation = try #require(pushed["generation"] as? Int)
            let table = try hearth("plan", "show")
            #expect(table.text.contains("generation \(generation) by people"), "\(table.text)")
            #expect(table.text.contains("planned"))
            // What was shown can be pushed: the same generation is refused, without it the next one is taken.
            let shown = try hearth("plan", "show", "--json")
            let again = try hearth.run(["plan", "push", "-"], input: shown.bytes)
            #expect(again.status == 1)
            #expect(again.errors.contains("generation \(generation)"), "\(again.errors)")
            var next = try #require(
                try JSONSerialization.jsonObject(with: Data(shown.bytes)) as? [String: Any])
            next["generation"] = nil
            let scratch = try ScratchDirectory()
            let file = try scratch.write(
                [UInt8](try JSONSerialization.data(withJSONObject: next)), to: "plan.json")
            #expect(try hearth.must("plan", "push", file).text == "plan \(generation + 1): 1 accepted\n")
            for (text, word) in [
                ("{", "JSON"), ("{\"entries\": [{\"function\": \"f\"}]}", "confidence"),
                ("{\"entries\": [], \"ttl\": \"soon\"}", "soon"),
                ("{\"entries\": [{\"function\": \"f\", \"confidence\": 1, \"tier\": \"high\"}]}", "high"),
            ] {
                let wrong = try hearth.run(["plan", "push", "-"], input: Array(text.utf8))
                #expect(wrong.status == 1, "\(text)")
                #expect(wrong.errors.contains(word), "\(text): \(wrong.errors)")
                #expect(wrong.errors.contains("docs/command-line.md"))
            }
            try hearth.must("plan", "push", "-", input: Array("{\"entries\": []}".utf8))
        }

        @Test func theJournalIsFollowed() throws {
            try hearth.must("function", "put", "followed", "--runtime", "command", "--", "cat")
            defer { _ = try? hearth("function", "delete", "followed") }
            let before = try lines("journal", "--json").last?["sequence"] as? Int ?? 0
            let follower = try hearth.start(
                "journal", "--follow", "--json", "--kind", "invocation", "--after", "\(before)")
            try hearth.must("invoke", "followed", "--data", "1")
            try eventually("it is told") { try follower.written().contains("followed") }
            try follower.signal(SIGTERM)
            _ = try follower.wait()
        }

        @Test func topOnceAndAsJSON() throws {
            try hearth.must("function", "put", "topped", "--runtime", "command", "--", "cat")
            defer { _ = try? hearth("function", "delete", "topped") }
            try hearth.must("invoke", "topped", "--data", "1")
            let once = try hearth("top")
            #expect(once.status == 0, "\(once.errors)")
            #expect(!once.text.contains("\u{1b}"), "no control sequences in a pipe")
            for word in ["memory", "tiers", "topped", "P99"] { #expect(once.text.contains(word), "\(once.text)") }
            let json = try object("top", "--json")
            #expect((json["functions"] as? [[String: Any]])?.contains { $0["function"] as? String == "topped" } == true)
            #expect((json["memory"] as? [String: Any])?["budget_bytes"] is Int)
        }

        /// On a terminal it refreshes until q, and gives the terminal back.
        @Test func topOnATerminal() throws {
            let script = """
                import os, pty, select, sys, termios, time
                pid, fd = pty.fork()
                if pid == 0: os.execv(sys.argv[1], [sys.argv[1], "top", "--interval", "200ms"])
                seen = b""
                def until(done, seconds):
                    global seen
                    end = time.monotonic() + seconds
                    while not done():
                        assert time.monotonic() < end, seen
                        if select.select([fd], [], [], 0.1)[0]:
                            try: piece = os.read(fd, 65536)
                            except OSError: piece = b""
                            if not piece: break
                            seen += piece
                until(lambda: seen.count(b"hearth top - ") >= 3, 20)
                assert seen.startswith(b"\\x1b[?1049h"), seen[:20]
                assert not termios.tcgetattr(fd)[3] & termios.ECHO
                os.write(fd, b"q")
                until(lambda: seen.endswith(b"\\x1b[?1049l"), 10)
                assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
                assert termios.tcgetattr(fd)[3] & termios.ECHO, "the terminal is as it was"
                """
            let output = try Command.run(
                ["/usr/bin/python3", "-c", script, try BuildProducts.executable("hearth")],
                environment: ["HEARTH_SOCKET": hearth.agent.socket, "TERM": "xterm"], within: 60)
            #expect(output.status == 0, "\(output.errors)")
        }

        @Test func drainWithExit() throws {
            let agent = try TestAgent()
            let output = try Command.run(
                [try BuildProducts.executable("hearth"), "drain", "--timeout", "5s", "--exit", "--json"],
                environment: ["HEARTH_SOCKET": agent.socket])
            #expect(output.status == 0, "\(output.errors)")
            #expect(output.text == "{\"ended\":0,\"finished\":0}\n")
            #expect(try agent.waitForEnd() == .status(0))
            #expect(try agent.leftovers().isEmpty)
        }
    }
}
