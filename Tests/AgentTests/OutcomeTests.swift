import AgentTestSupport
import Foundation
import Glibc
import HearthClient
import Linux
import Testing
import Wire

extension AgentTests {
    /// Every way to fail is told apart, and names what failed.
    @Suite @TestThread
    struct OutcomeTests {
        let agent: TestAgent
        init() throws { agent = try TestAgent.shared() }

        @Test func exceptionsHaveTypeMessageAndTraceback() throws {
            try PythonKit.with(in: agent) { client in
                let answer = try client.invoke("kit", "{\"do\":\"throw\"}")
                #expect(answer.outcome == .functionError)
                #expect(answer.error.type == "LookupError")
                #expect(answer.error.message == "no such colour: bleen")
                let trace = answer.error.trace.joined(separator: "\n")
                #expect(trace.contains("app.py"), "\(trace)")
                #expect(trace.contains("die_deep"), "\(trace)")
                #expect(!trace.contains("hearth_worker"), "the bootstrap's frames are no help: \(trace)")
                // An exception does not cost the sandbox.
                let next = try client.invoke("kit", "{\"do\":\"count\"}")
                #expect(next.startKind == .warm)
                #expect(next.text == "2")
            }
        }

        @Test(.enabled(if: Files.exists("/usr/bin/node"), "skipped: no /usr/bin/node"))
        func exceptionsOfNode() throws {
            let client = try agent.client()
            try withFunctions(["node-throws"], of: agent) {
                let source = """
                    class OrderError extends Error { constructor(m) { super(m); this.name = "OrderError"; } }
                    exports.handler = async () => { throw new OrderError("no such order"); };
                    """
                try client.put("node-throws", .node, files: ["app.js": source]) { $0.memoryBytes = 512 << 20 }
                let answer = try client.invoke("node-throws", "{}")
                #expect(answer.outcome == .functionError, "\(answer.summary)")
                #expect(answer.error.type == "OrderError")
                #expect(answer.error.message == "no such order")
                let trace = answer.error.trace.joined(separator: "\n")
                #expect(trace.contains("app.js:2"), "\(trace)")
            }
        }

        struct BadCode: Sendable, CustomTestStringConvertible {
            let testDescription: String
            let source: String
            var handler = "app.handler"
            let type: String
            let named: String
        }

        nonisolated static let badCode = [
            BadCode(
                testDescription: "does not parse", source: "def handler(e, c):\n    return (1\n",
                type: "Runtime.UserCodeSyntaxError", named: "app.py"),
            BadCode(
                testDescription: "imports what is missing", source: "import no_such_module_at_all\n",
                type: "Runtime.ImportModuleError", named: "no_such_module_at_all"),
            BadCode(
                testDescription: "has no such handler", source: "def other(e, c): pass\n",
                type: "Runtime.HandlerNotFound", named: "handler"),
            BadCode(
                testDescription: "has no such module", source: "def handler(e, c): pass\n",
                handler: "nope.handler", type: "Runtime.ImportModuleError", named: "nope"),
            BadCode(
                testDescription: "throws when loaded", source: "raise ValueError('no configuration')\n",
                type: "ValueError", named: "no configuration"),
        ]

        @Test(arguments: badCode)
        func codeThatCannotBeLoaded(_ code: BadCode) throws {
            let client = try agent.client()
            try withFunctions(["bad-code"], of: agent) {
                try client.put("bad-code", .python, files: ["app.py": code.source]) { $0.handler = code.handler }
                let answer = try client.invoke("bad-code", "{}")
                #expect(answer.outcome == .initFailed, "\(answer.summary)")
                #expect(answer.error.type == code.type, "\(answer.summary)")
                let said = answer.error.message + answer.error.trace.joined()
                #expect(said.contains(code.named), "\(answer.summary)")
                #expect(!answer.error.hint.isEmpty)
                // Correct code helps at once, whatever the failed starts have led to.
                try client.put("bad-code", .python, files: ["app.py": "def handler(e, c): return 'good'\n"])
                #expect(try client.invoke("bad-code", "{}").text == "\"good\"")
            }
        }

        @Test func programsThatDoNotExist() throws {
            let client = try agent.client()
            try withFunctions(["no-program", "no-native", "never-ready"], of: agent) {
                try client.put("no-program", .command) { $0.argv = ["/usr/bin/no-such-program"] }
                let command = try client.invoke("no-program")
                #expect(command.outcome == .initFailed, "\(command.summary)")
                #expect(command.error.message.contains("ENOENT") || command.error.message.contains("no-such-program"))
                #expect(!command.error.hint.isEmpty)
                try client.put("no-native", .native, files: ["x": "x"]) { $0.argv = ["/var/task/missing"] }
                let native = try client.invoke("no-native")
                #expect(native.outcome == .initFailed, "\(native.summary)")
                try client.put("never-ready", .native) { $0.argv = ["/bin/sleep", "60"] }
                let (time, silent) = try milliseconds { try client.invoke("never-ready") }
                #expect(silent.outcome == .initFailed, "\(silent.summary)")
                #expect(silent.error.type == "InitTimeout")
                #expect(time > 4900 && time < 20_000, "the configured init_timeout is 5 s, this took \(time) ms")
            }
        }

        @Test func deathsSayHow() throws {
            try PythonKit.with(in: agent) { client in
                let segv = try client.invoke("kit", "{\"do\":\"segv\"}")
                #expect(segv.outcome == .crashed, "\(segv.summary)")
                #expect(segv.error.signal == SIGSEGV)
                #expect(segv.error.message.contains("SIGSEGV"))
                let exit = try client.invoke("kit", "{\"do\":\"exit\",\"status\":3}")
                #expect(exit.outcome == .crashed, "\(exit.summary)")
                #expect(exit.error.exitStatus == 3)
                #expect(exit.error.signal == 0)
                #expect(exit.error.message.contains("kit"))
                let kill = try client.invoke("kit", "{\"do\":\"kill\",\"signal\":9}")
                #expect(kill.outcome == .crashed, "\(kill.summary)")
                #expect(kill.error.signal == SIGKILL)
                // Each death costs its sandbox and nothing else.
                let next = try client.invoke("kit", "{\"do\":\"count\"}")
                #expect(next.startKind == .cold)
                #expect(next.text == "1")
            }
        }

        @Test func aTimeoutKills() throws {
            try PythonKit.with(in: agent) {
                $0.timeoutNs = 300_000_000
            } _: { client in
                try inTime("300 ms are allowed", below: 600) {
                    let warm = try client.invoke("kit", "{\"do\":\"count\"}")
                    let group = try agent.group(of: warm.sandboxID)
                    #expect(TestAgent.processes(below: group).count == 2, "PID 1 and the interpreter")
                    let (time, answer) = try milliseconds { try client.invoke("kit", "{\"do\":\"spin\"}") }
                    #expect(answer.outcome == .timeout, "\(answer.summary)")
                    #expect(time >= 300)
                    #expect(answer.error.message.contains("kit"))
                    #expect(answer.timing.runNs >= 300_000_000)
                    let (late, _) = try milliseconds {
                        try eventually("the sandbox is gone") { TestAgent.processes(below: group).isEmpty }
                    }
                    return late < 100 ? time : .infinity
                }
                // A request's own limit, below the function's.
                try inTime("50 ms are allowed", below: 250) {
                    _ = try client.invoke("kit", "{\"do\":\"count\"}")
                    let (short, second) = try milliseconds {
                        try client.invoke("kit", "{\"do\":\"spin\"}") { $0.timeoutNs = 50_000_000 }
                    }
                    #expect(second.outcome == .timeout)
                    return short
                }
            }
        }

        /// A grandchild in its own session, whose parent has ended, dies with the sandbox all the same.
        @Test func aTimeoutKillsDescendants() throws {
            try PythonKit.with(in: agent) {
                $0.timeoutNs = 1_500_000_000
            } _: { client in
                let agent = agent
                try inTime("all are gone", below: 100) {
                    let warm = try client.invoke("kit", "{\"do\":\"count\"}")
                    let group = try agent.group(of: warm.sandboxID)
                    let before = Set(TestAgent.processes(below: group))
                    let invocation = Background {
                        let answer = try agent.client().invoke("kit", "{\"do\":\"descend\"}")
                        return (answer, now())
                    }
                    var seen: Set<Int32> = []
                    try eventually("the grandchild is there") {
                        seen = Set(TestAgent.processes(below: group))
                        return seen.subtracting(before).count == 1
                    }
                    let (answer, answered) = try invocation.join()
                    #expect(answer.outcome == .timeout, "\(answer.summary)")
                    try eventually("all are gone") { seen.allSatisfy { !TestAgent.isAlive($0) } }
                    return Double(now() - answered) / 1e6
                }
            }
        }

        @Test func memoryRunsOut() throws {
            try PythonKit.with(in: agent) {
                $0.memoryBytes = 64 << 20
            } _: { client in
                let answer = try client.invoke("kit", "{\"do\":\"hold\",\"mib\":200}")
                let features = try client.info().features
                if features.contains("cgroup.memory") {
                    #expect(answer.outcome == .outOfMemory, "\(answer.summary)")
                } else {
                    // RLIMIT_DATA alone: the interpreter is told, and says so.
                    #expect(answer.outcome == .functionError, "\(answer.summary)")
                    #expect(answer.error.type == "MemoryError")
                }
                #expect(try client.invoke("kit", "{\"do\":\"hold\",\"mib\":10}").text == "10")
            }
        }

        @Test func aForkBombIsBounded() throws {
            try PythonKit.with(in: agent) {
                $0.pids = 20
            } _: { client in
                let answer = try client.invoke("kit", "{\"do\":\"bomb\"}")
                #expect(answer.outcome == .ok, "\(answer.summary)")
                struct Bomb: Decodable {
                    var made: Int
                    var errno: Int32
                }
                let bomb = try JSONDecoder().decode(Bomb.self, from: answer.payload)
                #expect(bomb.errno == EAGAIN)
                #expect(bomb.made >= 10 && bomb.made < 20, "\(bomb.made) children with a limit of 20")
            }
        }
    }
}
