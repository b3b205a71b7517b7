import AgentTestSupport
import Foundation
import HearthClient
import Testing
import Wire

extension AgentTests {
    /// A function does what it likes with descriptor 3 and with its output: it only hurts itself.
    @Suite @TestThread
    struct HostileFunctionTests {
        let agent: TestAgent
        init() throws { agent = try TestAgent.shared() }

        struct Attack: Sendable, CustomTestStringConvertible {
            let testDescription: String
            let event: String
            let outcomes: [HearthOutcome]
        }

        nonisolated static let attacks = [
            Attack(testDescription: "random bytes on fd 3", event: "{\"do\":\"garbage3\"}", outcomes: [.crashed]),
            Attack(
                testDescription: "chunks of another invocation, for ever",
                event: "{\"do\":\"flood3\",\"invocation\":77}", outcomes: [.crashed]),
            Attack(testDescription: "a length of 4 GiB", event: "{\"do\":\"forge3\"}", outcomes: [.crashed]),
            Attack(testDescription: "fd 3 closed", event: "{\"do\":\"close3\"}", outcomes: [.crashed]),
            Attack(testDescription: "20 MiB on stdout", event: "{\"do\":\"flood\",\"mib\":20}", outcomes: [.ok]),
            Attack(
                testDescription: "random bytes on stdout", event: "{\"do\":\"garbage\",\"fd\":1}", outcomes: [.ok]),
            Attack(
                testDescription: "random bytes on stderr", event: "{\"do\":\"garbage\",\"fd\":2}", outcomes: [.ok]),
            Attack(
                testDescription: "stdout without end", event: "{\"do\":\"endless\",\"fd\":1}", outcomes: [.timeout]),
            Attack(
                testDescription: "stderr without end", event: "{\"do\":\"endless\",\"fd\":2}", outcomes: [.timeout]),
            Attack(testDescription: "stdout closed", event: "{\"do\":\"close\",\"fd\":1}", outcomes: [.ok]),
            Attack(testDescription: "stderr closed", event: "{\"do\":\"close\",\"fd\":2}", outcomes: [.ok]),
        ]

        @Test(arguments: attacks)
        func othersAreServedMeanwhile(_ attack: Attack) throws {
            try PythonKit.with("neighbour", in: agent) { client in
                try PythonKit.with("attacker", in: agent) {
                    $0.timeoutNs = 3_000_000_000
                } _: { _ in
                    _ = try client.invoke("neighbour", "{\"do\":\"count\"}")
                    _ = try client.invoke("attacker", "{\"do\":\"count\"}")
                    var quiet: [Double] = []
                    for index in 2...21 {
                        let (time, answer) = try milliseconds { try client.invoke("neighbour", "{\"do\":\"count\"}") }
                        #expect(answer.text == "\(index)", "\(answer.summary)")
                        quiet.append(time)
                    }
                    let agent = agent
                    let attacking = Background { try agent.client().invoke("attacker", attack.event) }
                    var worst = 0.0
                    var attacked: [Double] = []
                    for index in 22...80 {
                        let (time, answer) = try milliseconds { try client.invoke("neighbour", "{\"do\":\"count\"}") }
                        #expect(answer.text == "\(index)", "\(answer.summary)")
                        worst = max(worst, time)
                        attacked.append(time)
                    }
                    // The attacker has a processor of two to itself, and hearthd reads what it writes.
                    let (before, during) = (quiet.sorted()[quiet.count / 2], attacked.sorted()[attacked.count / 2])
                    #expect(during < 30 * max(before, 0.5), "the neighbour's median: \(before), then \(during) ms")
                    let answer = try attacking.join()
                    #expect(attack.outcomes.contains(answer.outcome), "\(answer.summary)")
                    // A warm call takes under a millisecond; this bounds what the attacker can add on a busy machine.
                    #expect(worst < 400, "the neighbour waited \(worst) ms")
                    #expect(try client.invoke("attacker", "{\"do\":\"echo\"}").outcome == .ok)
                }
            }
        }

        /// Bytes on fd 3 while nothing runs: the next invocation must not take them for its answer.
        @Test func bytesBetweenInvocations() throws {
            try PythonKit.with(in: agent) { client in
                #expect(try client.invoke("kit", "{\"do\":\"idle\"}").text == "\"soon\"")
                try eventually("the sandbox is ended") { try client.listSandboxes(function: "kit").isEmpty }
                let next = try client.invoke("kit", "{\"do\":\"count\"}")
                #expect(next.text == "1", "\(next.summary)")
                #expect(next.startKind == .cold)
            }
        }

        /// Programs that break FUNCTION.md before they are ready, each in its own way.
        nonisolated static let natives: [(String, String)] = [
            ("garbage for HELLO", "os.write(3, b'GET / HTTP/1.1\\r\\n\\r\\n' * 10)"),
            ("READY before HELLO", "os.write(3, m(129))"),
            ("two HELLOs", "os.write(3, m(128, hello) + m(128, hello))"),
            ("a RESULT before INIT", "os.write(3, m(128, hello) + m(131, b'x', 1))"),
            ("a body of 4 GiB", "os.write(3, struct.pack('>IBBHI', 0xffffffff, 128, 0, 0, 0))"),
            ("reserved bytes set", "os.write(3, struct.pack('>IBBHI', 0, 128, 1, 0, 0))"),
            ("an agent's message", "os.write(3, m(2, b'x', 1))"),
            ("an unknown message", "os.write(3, m(200))"),
            ("the channel closed", "os.close(3)"),
            (
                "an INIT_ERROR that is not JSON",
                "os.write(3, m(128, hello)); os.read(3, 65536); os.write(3, m(130, b'\\xff{'))"
            ),
        ]

        @Test(arguments: natives)
        func programsThatBreakTheProtocol(_ name: String, _ code: String) throws {
            let client = try agent.client()
            try withFunctions(["breaker"], of: agent) {
                try client.put("breaker", .native, files: ["main.py": Self.native(code + "\ntime.sleep(30)\n")]) {
                    $0.argv = ["/usr/bin/python3", "-S", "/var/task/main.py"]
                    $0.timeoutNs = 2_000_000_000
                }
                let (time, answer) = try milliseconds { try client.invoke("breaker", "x") }
                #expect(answer.outcome == .initFailed, "\(answer.summary)")
                #expect(!answer.error.message.isEmpty)
                #expect(time < 4000, "noticed at once, not by the init_timeout: \(time) ms")
                try eventually("nothing of it is left") { try client.listSandboxes(function: "breaker").isEmpty }
            }
        }

        /// Well-formed pieces of the current invocation's result, without end: the agent's own limit ends it.
        @Test func anEndlessResult() throws {
            let code = """
                def read(count):
                    data = b""
                    while len(data) < count: data += os.read(3, count - len(data))
                    return data
                os.write(3, m(128, hello)); read(struct.unpack(">IBBHI", read(12))[0]); os.write(3, m(129))
                while True:
                    length, _, _, _, number = struct.unpack(">IBBHI", read(12))
                    payload = read(length)
                    while payload.endswith(b"flood"): os.write(3, m(133, b"x" * 65536, number))
                    os.write(3, m(131, b"calm", number))

                """
            let client = try agent.client()
            try withFunctions(["endless"], of: agent) {
                try client.put("endless", .native, files: ["main.py": Self.native(code)]) {
                    $0.argv = ["/usr/bin/python3", "-S", "/var/task/main.py"]
                }
                let calm = try client.invoke("endless", "calm")
                #expect(calm.text == "calm", "\(calm.summary)")
                let flood = try client.invoke("endless", "flood")
                #expect(flood.outcome == .functionError, "\(flood.summary)")
                #expect(flood.error.type == "ResultTooLarge", "\(flood.summary)")
                let again = try client.invoke("endless", "calm")
                #expect(again.text == "calm", "\(again.summary)")
                #expect(again.startKind == .cold)
            }
        }

        /// Says READY and never reads again: the payload waits in the agent, and everybody else goes on.
        @Test func aFunctionThatNeverReads() throws {
            let code = "os.write(3, m(128, hello)); os.read(3, 65536); os.write(3, m(129))\ntime.sleep(30)\n"
            let client = try agent.client()
            try withFunctions(["deaf"], of: agent) {
                try client.put("deaf", .native, files: ["main.py": Self.native(code)]) {
                    $0.argv = ["/usr/bin/python3", "-S", "/var/task/main.py"]
                    $0.timeoutNs = 1_000_000_000
                }
                try PythonKit.with("neighbour", in: agent) { client in
                    _ = try client.invoke("neighbour", "{}")
                    let agent = agent
                    let waiting = Background {
                        var request = HearthInvokeRequest()
                        request.function = "deaf"
                        let payload = [UInt8](repeating: 1, count: 5 << 20)
                        return try agent.client().invoke(request, payload: .bytes(payload), options: .patient)
                    }
                    for _ in 0..<20 {
                        let (time, answer) = try milliseconds { try client.invoke("neighbour", "{}") }
                        #expect(answer.outcome == .ok)
                        #expect(time < 400, "the neighbour waited \(time) ms")
                    }
                    let answer = try waiting.join()
                    #expect(answer.outcome == .timeout, "\(answer.summary)")
                }
            }
        }

        private static func native(_ code: String) -> String {
            """
            import os, struct, time
            hello = b'{"protocol":1,"runtime":"x","version":"1"}'
            def m(kind, body=b"", invocation=0): return struct.pack(">IBBHI", len(body), kind, 0, 0, invocation) + body

            """ + code
        }
    }
}
