import AgentTestSupport
import Foundation
import Glibc
import HearthClient
import Linux
import NurseryABI
import Testing
import Wire

extension AgentTests {
    /// A PID 1 that is not ours any more: a process of the test's takes its end of the socket to hearthd (pidfd_getfd(2)) and speaks in
    /// its place. Only that sandbox may suffer.
    @Suite @TestThread
    struct HostileInitTests {
        let agent: TestAgent
        init() throws { agent = try TestAgent.shared() }

        struct Attack: Sendable, CustomTestStringConvertible {
            let testDescription: String
            /// Python, with the socket as `s` and `m(op, **fields)` for a message as hearthd expects it.
            let code: String
            /// Whether hearthd must end the sandbox at once.
            let ends: Bool
        }

        nonisolated static let attacks = [
            Attack(testDescription: "a short packet", code: "s.send(b'HEN1')", ends: true),
            Attack(
                testDescription: "random bytes of the right length", code: "s.send(os.urandom(len(m(1))))", ends: true),
            Attack(testDescription: "a long packet", code: "s.send(m(1) + bytes(1000))", ends: true),
            Attack(testDescription: "an unknown message", code: "s.send(m(99))", ends: true),
            Attack(testDescription: "a request of hearthd's", code: "s.send(m(4))", ends: true),
            Attack(
                testDescription: "a descriptor", code: "socket.send_fds(s, [m(1)], [0])", ends: true),
            Attack(testDescription: "READY again and again", code: "[s.send(m(1)) for _ in range(1000)]", ends: false),
            Attack(
                testDescription: "exits of programs that were never started",
                code: "[s.send(m(6, cookie=c, process=c, status=-9)) for c in range(1000, 3000)]", ends: false),
            Attack(
                testDescription: "the largest numbers everywhere",
                code: "[s.send(m(op)[:8] + b'\\xff' * (len(m(1)) - 8)) for op in (3, 5, 6, 9, 10)]", ends: false),
            Attack(
                testDescription: "a flood for a second",
                code: "t = time.monotonic()\nwhile time.monotonic() < t + 1: s.send(m(3, cookie=77))", ends: false),
        ]

        nonisolated private static let prelude = """
            import ctypes, os, socket, struct, sys, time
            c = ctypes.CDLL(None, use_errno=True)
            pidfd = os.pidfd_open(int(sys.argv[1]))
            fd = c.syscall(438, pidfd, 4, 0)
            assert fd >= 0, os.strerror(ctypes.get_errno())
            s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET, fileno=fd)
            s.setblocking(True)
            def m(op, cookie=0, process=0, status=0):
                return struct.pack("<IHHIIiiiiIIIIqqqqQ", 0x314e4548, \(HN_VERSION), op, cookie, 0, 0, process, status, 0, 0, 0, 0, 0,
                    0, 0, 0, 0, 0) + bytes(64)
            try:

            """

        @Test(arguments: attacks)
        func onlyItsSandboxSuffers(_ attack: Attack) throws {
            try PythonKit.with("neighbour", in: agent) { client in
                try PythonKit.with("attacker", in: agent) { _ in
                    _ = try client.invoke("attacker", "{\"do\":\"count\"}")
                    _ = try client.invoke("neighbour", "{\"do\":\"count\"}")
                    let sandbox = try #require(try client.listSandboxes(function: "attacker").first)
                    let pid = Int32(sandbox.pid)
                    let code = attack.code
                    let attacking = Background { try HostileInitTests.run(code, against: pid) }
                    for index in 2...40 {
                        let (time, answer) = try milliseconds { try client.invoke("neighbour", "{\"do\":\"count\"}") }
                        #expect(answer.text == "\(index)", "\(answer.summary)")
                        #expect(time < 400, "the neighbour waited \(time) ms")
                    }
                    try attacking.join()
                    if attack.ends {
                        // And the agent knows: until then a request may still be given to it, and is told that it crashed.
                        try eventually("the sandbox is ended") {
                            try !TestAgent.isAlive(pid) && client.listSandboxes(function: "attacker").isEmpty
                        }
                    }
                    let next = try client.invoke("attacker", "{\"do\":\"echo\"}")
                    #expect(next.outcome == .ok, "\(next.summary)")
                }
            }
        }

        nonisolated private static func run(_ code: String, against pid: Int32) throws {
            let indented = code.split(separator: "\n").map { "    " + $0 }.joined(separator: "\n")
            let program = prelude + indented + "\nexcept (BrokenPipeError, ConnectionResetError): pass\n"
            let output = try Command.run(["/usr/bin/python3", "-c", program, "\(pid)"])
            guard output.status == 0 else { throw TestFailure("the attack failed: \(output.errors)") }
        }

        /// PID 1 stopped: it never reads, never answers. The invocation ends by its own time limit, the sandbox with it.
        @Test func aPID1ThatNeverReads() throws {
            let client = try agent.client()
            try withFunctions(["stopped"], of: agent) {
                try client.put("stopped", .command) {
                    $0.argv = ["/bin/echo", "hello"]
                    $0.timeoutNs = 500_000_000
                }
                #expect(try client.invoke("stopped").text == "hello\n")
                let sandbox = try #require(try client.listSandboxes(function: "stopped").first)
                #expect(kill(Int32(sandbox.pid), SIGSTOP) == 0)
                let answer = try client.invoke("stopped")
                #expect(answer.outcome == .timeout, "\(answer.summary)")
                try eventually("the sandbox is ended") { !TestAgent.isAlive(Int32(sandbox.pid)) }
                #expect(try client.invoke("stopped").text == "hello\n")
            }
        }
    }
}
