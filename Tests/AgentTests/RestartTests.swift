import AgentTestSupport
import Foundation
import Glibc
import HearthClient
import Linux
import Synchronization
import Testing
import Wire

extension AgentTests {
    /// hearthd ends, killed or replaced, and the next one goes on with what the nursery kept. Each test has agents of its own.
    @Suite @TestThread
    struct RestartTests {
        /// Functions of three runtimes, each with one idle sandbox that has served twice.
        private func warm(_ agent: TestAgent) throws -> [String: HearthInvokeResponse] {
            let client = try agent.client()
            try client.put("counter", .python, files: PythonKit.files)
            try client.put("shell", .command) { $0.argv = ["/bin/echo", "still here"] }
            try client.put("echo", .native, files: ["main.py": Self.native]) {
                $0.argv = ["/usr/bin/python3", "/var/task/main.py"]
            }
            var last: [String: HearthInvokeResponse] = [:]
            for name in ["counter", "shell", "echo"] {
                for _ in 0..<2 {
                    last[name] = try client.invoke(name, "{\"do\":\"count\"}")
                    #expect(last[name]?.outcome == .ok, "\(last[name]?.summary ?? "")")
                }
            }
            return last
        }

        /// A resident program that counts its invocations by itself, in the function protocol's own bytes.
        private static let native = """
            import json, os, struct
            def take(n):
                data = b""
                while len(data) < n:
                    more = os.read(3, n - len(data))
                    if not more: os._exit(0)
                    data += more
                return data
            def message():
                length, kind, number = struct.unpack(">IB3xI", take(12))
                return kind, number, take(length)
            def say(kind, number, body=b""): os.write(3, struct.pack(">IB3xI", len(body), kind, number) + body)
            say(128, 0, b'{"protocol":1,"runtime":"test","version":"1"}')
            message(); say(129, 0)
            count = 0
            while True:
                kind, number, body = message()
                if kind == 2:
                    count += 1
                    say(131, number, b"%d" % count)
            """

        @Test func aKillUnderLoadLosesNoWarmSandbox() throws {
            let scratch = try ScratchDirectory()
            let first = try TestAgent(configuration: "nursery_linger: 60s", scratch: scratch)
            let before = try warm(first)
            let client = try first.client()
            try client.put("busy", .python, files: PythonKit.files) { $0.maxConcurrency = 3 }
            let answered = Mutex(0)
            let callers = (0..<3).map { _ in
                Background {
                    let client = try first.client()
                    while true {
                        do {
                            _ = try client.invoke("busy", "{\"do\":\"sleep\",\"seconds\":0.2}")
                            answered.withLock { $0 += 1 }
                        } catch let error as HearthClientError {
                            // The answer is unknown, and the client says so.
                            return error.outcome
                        }
                    }
                }
            }
            try eventually("three sandboxes run") {
                try first.sandboxes().values.count { $0.function == "busy" && $0.state == "running" } == 3
            }
            let listed = try first.sandboxes()
            let journaled = answered.withLock { $0 }
            try first.killAgent()
            for caller in callers { #expect(try caller.join() == .agentRestarted) }
            #expect(TestAgent.isAlive(first.nursery))

            let second = try TestAgent(scratch: scratch)
            #expect(second.nursery == first.nursery)
            let again = try second.client()
            #expect(try again.listFunctions().map(\.spec.name) == ["busy", "counter", "echo", "shell"])
            // Exactly the idle ones are there, under their names; what ran is gone.
            let idle = Set(before.values.map(\.sandboxID))
            try eventually("what ran has ended: \((try? second.sandboxes().keys.sorted()) ?? [])") {
                try Set(second.sandboxes().keys) == idle && second.populatedGroups().count == idle.count
            }
            #expect(try second.orphans() == [])
            for (name, answer) in before.sorted(by: { $0.key < $1.key }) {
                let info = try #require(try second.sandboxes()[answer.sandboxID])
                #expect(info.invocations == 2 && info.function == name && info.pid == listed[info.id]?.pid)
                let next = try again.invoke(name, "{\"do\":\"count\"}")
                #expect(next.outcome == .ok && next.startKind == .warm, "\(name): \(next.summary)")
                #expect(next.sandboxID == answer.sandboxID)
                #expect(next.text == (name == "shell" ? "still here\n" : "3"), "\(name): \(next.summary)")
                #expect((UInt64(next.invocationID) ?? 0) > (UInt64(answer.invocationID) ?? 0))
            }
            // The invocations that ran have an outcome, in the statistics and in the journal.
            let lost = try again.stats(function: "busy").functions.first?.outcomes.first {
                $0.outcome == .agentRestarted
            }
            #expect(lost?.count == 3)
            let rows = try journal(second, kind: "invocation")
            #expect(rows.count { $0.hasPrefix("busy|agent_restarted") && $0.contains("was running") } == 3, "\(rows)")
            // Every answer that a client has is there, once: the spool had what the database had not. One that was being written down
            // at the kill is told as such.
            let written = rows.count { $0.hasPrefix("busy|ok") }
            let unsure = rows.count { $0.hasPrefix("busy|agent_restarted") && $0.contains("just been answered") }
            #expect(written + unsure >= journaled && written <= journaled + 3, "\(journaled) answers: \(rows)")
            // What ran before starts anew.
            #expect(try again.invoke("busy", "{\"do\":\"count\"}").startKind == .cold)
            let problems = second.stop()
            #expect(problems.isEmpty, "\(problems)")
        }

        /// Rows of the journal as `function|text`, read from the agent's file when they are in it.
        private func journal(_ agent: TestAgent, kind: String) throws -> [String] {
            let script = """
                import sqlite3, sys
                for row in sqlite3.connect("file:%s?mode=ro" % sys.argv[1], uri=True).execute(
                        "SELECT function, text FROM journal WHERE kind = ? ORDER BY sequence", [sys.argv[2]]):
                    print("%s|%s" % row)
                """
            var rows: [String] = []
            try eventually("the journal is written: \(rows)") {
                let output = try Command.run(["/usr/bin/python3", "-c", script, agent.state + "/hearth.db", kind])
                rows = output.text.split(separator: "\n").map(String.init)
                return rows.contains { $0.hasPrefix("busy|agent_restarted") }
            }
            return rows
        }

        @Test func staleCodeIsNotTakenOver() throws {
            let scratch = try ScratchDirectory()
            let first = try TestAgent(configuration: "", scratch: scratch)
            let client = try first.client()
            for name in ["changed", "deleted", "kept"] {
                try client.put(name, .python, files: ["app.py": "def handler(e, c): return 'old'\n"])
                _ = try client.invoke(name, "{}")
            }
            try first.killAgent()
            // What another hearthd would do between: its sandboxes are unknown to it. Here the registry is changed by hand.
            let changed = try Command.run([
                "/usr/bin/python3", "-c",
                """
                import sqlite3, sys
                db = sqlite3.connect(sys.argv[1])
                db.execute("UPDATE function SET generation = 1000 WHERE name = 'changed'")
                db.execute("DELETE FROM function WHERE name = 'deleted'")
                db.commit()
                """, first.state + "/hearth.db",
            ])
            #expect(changed.status == 0, "\(changed.errors)")
            let second = try TestAgent(scratch: scratch)
            #expect(try second.sandboxes().values.map(\.function) == ["kept"])
            try eventually("the others have ended") { try second.populatedGroups().count == 1 }
            #expect(try second.client().invoke("changed", "{}").startKind == .cold)
            #expect(try second.client().invoke("kept", "{}").startKind == .warm)
            let problems = second.stop()
            #expect(problems.isEmpty, "\(problems)")
        }

        /// Killed again and again, also while it starts: nothing piles up.
        @Test func manyKills() throws {
            let scratch = try ScratchDirectory()
            var agent = try TestAgent(scratch: scratch)
            let before = try warm(agent)
            let nursery = agent.nursery
            var counts: [NodeCount] = []
            for round in 0..<5 {
                try agent.killAgent()
                let early = try Command([
                    try BuildProducts.executable("hearthd"), "--config", scratch.path + "/hearthd.yaml", "--socket",
                    agent.socket, "--state", agent.state, "--share", try BuildProducts.repository("rootfs-tools"),
                    "--nursery", try BuildProducts.executable("hearth-nursery"),
                ])
                usleep(UInt32(30_000 * round))
                try early.signal(SIGKILL)
                _ = try early.wait()
                agent = try TestAgent(scratch: scratch)
                #expect(agent.nursery == nursery)
                for (name, answer) in before {
                    let next = try agent.client().invoke(name, "{\"do\":\"count\"}")
                    #expect(next.startKind == .warm && next.sandboxID == answer.sandboxID, "\(next.summary)")
                    if name != "shell" { #expect(next.text == "\(round + 3)") }
                }
                counts.append(try NodeCount.atRest(agent))
            }
            for count in counts { #expect(count == counts[0]) }
            let problems = agent.stop()
            #expect(problems.isEmpty, "\(problems)")
        }

        @Test func anUpgradeKeepsWhatIsWarm() throws {
            let scratch = try ScratchDirectory()
            let first = try TestAgent(scratch: scratch)
            let before = try warm(first)
            let client = try first.client()
            var request = HearthInvokeRequest()
            request.function = "counter"
            request.payload = .init("{\"do\":\"sleep\",\"seconds\":0.5}".utf8)
            let pending = try client.begin(request, options: .patient)
            try eventually("it runs") { try first.sandboxes().values.contains { $0.state == "running" } }
            try first.signal(SIGUSR2)
            // What runs is finished and answered; then hearthd ends in order, and the nursery stays.
            let answer = try client.finish(pending, options: .patient)
            #expect(answer.outcome == .ok, "\(answer.summary)")
            #expect(try first.waitForEnd() == .status(0))
            #expect(TestAgent.isAlive(first.nursery))

            let second = try TestAgent(scratch: scratch)
            #expect(try Set(second.sandboxes().keys) == Set(before.values.map(\.sandboxID)))
            let again = try second.client()
            for (name, answer) in before {
                let next = try again.invoke(name, "{\"do\":\"count\"}")
                #expect(next.startKind == .warm && next.sandboxID == answer.sandboxID, "\(next.summary)")
            }
            let outcomes = try again.stats().outcomes
            #expect(!outcomes.contains { $0.outcome == .agentRestarted })
            let problems = second.stop()
            #expect(problems.isEmpty, "\(problems)")
        }

        /// What waits on the shelves is taken over too: it is whoever's next start, and no second one is made beside it.
        @Test func shelvesAreTakenOver() throws {
            let scratch = try ScratchDirectory()
            let configuration = "bare_pool: 1\nruntime_pool: 1"
            let first = try TestAgent(configuration: configuration, scratch: scratch)
            let client = try first.client()
            try client.put("counter", .python, files: PythonKit.files)
            try client.put("shell", .command) { $0.argv = ["/bin/echo", "still here"] }
            func shelved(_ client: HearthClient) throws -> [HearthTier: String] {
                var names: [HearthTier: String] = [:]
                for tier in [HearthTier.bare, .runtime] {
                    try client.waitForIdle(1, tier)
                    let idle = try client.idle(tier)
                    #expect(idle.count == 1, "\(idle)")
                    names[tier] = idle.first?.id
                }
                return names
            }
            let before = try shelved(client)
            try first.killAgent()
            let second = try TestAgent(configuration: configuration, scratch: scratch)
            let again = try second.client()
            #expect(try shelved(again) == before)
            let python = try again.invoke("counter", "{\"do\":\"count\"}")
            #expect(python.text == "1" && python.startKind == .runtime, "\(python.summary)")
            #expect(python.sandboxID == before[.runtime])
            let shell = try again.invoke("shell")
            #expect(shell.text == "still here\n" && shell.startKind == .bare, "\(shell.summary)")
            #expect(shell.sandboxID == before[.bare])
            // Filled again, with others.
            let after = try shelved(again)
            #expect(Set(after.values).isDisjoint(with: before.values))
            // One that has been promoted belongs to its function from then on, also for the next hearthd.
            try second.killAgent()
            let third = try TestAgent(configuration: configuration, scratch: scratch)
            let warm = try third.client().invoke("counter", "{\"do\":\"count\"}")
            #expect(warm.text == "2" && warm.startKind == .warm && warm.sandboxID == python.sandboxID)
            let problems = third.stop()
            #expect(problems.isEmpty, "\(problems)")
        }

        /// A frozen sandbox is taken over frozen, and thaws for its next invocation.
        @Test func frozenOnesStayFrozen() throws {
            let scratch = try ScratchDirectory()
            let configuration = "freeze_after: 100ms"
            let first = try TestAgent(configuration: configuration, scratch: scratch)
            let before = try warm(first)
            try eventually("all are frozen") { try first.sandboxes().values.allSatisfy { $0.state == "frozen" } }
            try first.killAgent()
            let second = try TestAgent(configuration: configuration, scratch: scratch)
            #expect(try second.sandboxes().values.map(\.state) == ["frozen", "frozen", "frozen"])
            let next = try second.client().invoke("counter", "{\"do\":\"count\"}")
            #expect(next.text == "3" && next.sandboxID == before["counter"]?.sandboxID, "\(next.summary)")
            let problems = second.stop()
            #expect(problems.isEmpty, "\(problems)")
        }

        /// A resident program that died while no hearthd was there is noticed, not used.
        @Test func whatDiedMeanwhileIsNotUsed() throws {
            let scratch = try ScratchDirectory()
            let first = try TestAgent(scratch: scratch)
            let before = try warm(first)
            let dead = try #require(before["counter"]?.sandboxID)
            let group = try first.group(of: dead)
            let gone = try #require(before["echo"]?.sandboxID)
            let pid = try #require(try first.sandboxes()[gone]?.pid)
            let inside = try #require(try first.sandboxes()[dead]?.pid)
            try first.killAgent()
            for process in TestAgent.processes(below: group) where process != inside { kill(process, SIGKILL) }
            kill(pid, SIGKILL)
            let second = try TestAgent(scratch: scratch)
            let client = try second.client()
            try eventually("both have gone") { try second.sandboxes().keys.allSatisfy { $0 != dead && $0 != gone } }
            for name in ["counter", "echo"] {
                let next = try client.invoke(name, "{\"do\":\"count\"}")
                #expect(next.outcome == .ok && next.text == "1", "\(next.summary)")
            }
            let problems = second.stop()
            #expect(problems.isEmpty, "\(problems)")
        }

        /// The nursery as a service of its own: hearthd stops and starts, the sandboxes stay.
        @Test func theNurseryIsAServiceOfItsOwn() throws {
            let scratch = try ScratchDirectory()
            let state = scratch.path + "/state"
            for name in ["images", "code"] { try Files.makeDirectories("\(state)/\(name)", mode: 0o700) }
            let path = scratch.path + "/n.sock"
            let listener = try UnixSocket.listen(path: path, kind: .sequencedPacket, backlog: 8, mode: 0o600)
            try listener.setNonblocking(false)
            let null = try Files.open("/dev/null", flags: O_RDWR)
            let service = try Linux.Process.spawn(
                [
                    try BuildProducts.executable("hearth-nursery"), state + "/images", state + "/code",
                    try BuildProducts.repository("rootfs-tools/runtimes"), "60", "4",
                ], environment: [],
                descriptors: [null.rawValue, null.rawValue, null.rawValue, listener.rawValue], newSession: true)
            withExtendedLifetime(null) {}
            withExtendedLifetime(listener) {}
            defer {
                try? service.signal(SIGKILL)
                _ = try? service.wait(timeout: 5_000_000_000)
            }
            let configuration = "nursery_socket: \(path)"
            let first = try TestAgent(configuration: configuration, scratch: scratch)
            let before = try warm(first)
            // systemctl stop hearthd
            try first.signal(SIGTERM)
            #expect(try first.waitForEnd() == .status(0))
            #expect(TestAgent.isAlive(service.pid))
            let second = try TestAgent(configuration: configuration, scratch: scratch)
            for (name, answer) in before {
                let next = try second.client().invoke(name, "{\"do\":\"count\"}")
                #expect(next.startKind == .warm && next.sandboxID == answer.sandboxID, "\(next.summary)")
            }
            // systemctl stop hearth-nursery: every sandbox ends, hearthd says so, nothing is left.
            let processes = TestAgent.processes(below: second.cgroup)
            try service.signal(SIGTERM)
            #expect(try second.waitForEnd() == .status(1))
            try eventually("every sandbox has ended") { processes.allSatisfy { !TestAgent.isAlive($0) } }
            let left = try second.leftovers()
            #expect(left.isEmpty, "\(left)")
        }
    }
}
