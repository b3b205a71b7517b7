import AgentTestSupport
import Foundation
import Glibc
import HearthClient
import Testing
import Wire

/// The limits that take cgroup v2 controllers, on a machine that has them: user-mode Linux (Tests/uml). All is slow there.
@Suite(
    .serialized, .enabled(if: getenv("HEARTH_UML") != nil, "skipped: runs in user-mode Linux (Tests/uml/run-tests.sh)"))
@TestThread
struct UMLAgentLimits {
    private func withAgent(_ body: (TestAgent, HearthClient) throws -> Void) throws {
        let agent = try TestAgent(configuration: "init_timeout: 60s\ndefault_timeout: 60s", seconds: 120)
        do {
            try body(agent, try agent.client())
        } catch {
            _ = agent.stop()
            throw error
        }
        let problems = agent.stop()
        #expect(problems.isEmpty, "\(problems)")
    }

    @Test func limitsOfTheGroup() throws {
        try withAgent { agent, client in
            let features = try client.info().features
            #expect(Set(features).isSuperset(of: ["cgroup.cpu", "cgroup.memory", "cgroup.pids", "cgroup.io"]))
            try outOfMemory(client)
            try outOfMemoryOfAChild(client)
            try processes(client)
            try processorTime(client)
        }
    }

    /// More than its memory in one process: the kernel's kill, told as such, and the next invocation works.
    private func outOfMemory(_ client: HearthClient) throws {
        try client.put("memory", .python, files: PythonKit.files) { $0.memoryBytes = 64 << 20 }
        let answer = try client.invoke("memory", "{\"do\":\"hold\",\"mib\":300}")
        #expect(answer.outcome == .outOfMemory, "\(answer.summary)")
        #expect(answer.error.message.contains("64 MiB"), "\(answer.summary)")
        #expect(!answer.error.hint.isEmpty)
        let next = try client.invoke("memory", "{\"do\":\"hold\",\"mib\":5}")
        #expect(next.outcome == .ok, "\(next.summary)")
        #expect(next.startKind == .cold)
        _ = try client.deleteFunction("memory")
    }

    /// The memory of all processes of the sandbox counts together, which no rlimit does.
    private func outOfMemoryOfAChild(_ client: HearthClient) throws {
        let source = """
            import os, time
            def handler(event, context):
                for _ in range(8):
                    if os.fork() == 0:
                        held = bytearray(b"x" * (20 << 20))
                        time.sleep(30)
                        os._exit(len(held) & 1)
                time.sleep(30)
            """
        try client.put("family", .python, files: ["app.py": source]) { $0.memoryBytes = 64 << 20 }
        let answer = try client.invoke("family", "{}")
        #expect(answer.outcome == .outOfMemory, "\(answer.summary)")
        _ = try client.deleteFunction("family")
    }

    private func processes(_ client: HearthClient) throws {
        try client.put("bomb", .python, files: PythonKit.files) { $0.pids = 20 }
        let answer = try client.invoke("bomb", "{\"do\":\"bomb\"}")
        #expect(answer.outcome == .ok, "\(answer.summary)")
        struct Bomb: Decodable {
            var made: Int
            var errno: Int32
        }
        let bomb = try JSONDecoder().decode(Bomb.self, from: answer.payload)
        #expect(bomb.errno == EAGAIN)
        #expect(bomb.made >= 10 && bomb.made < 20, "\(bomb.made) children with a limit of 20")
        _ = try client.deleteFunction("bomb")
    }

    /// A quarter of a CPU: half a second of work takes about two.
    private func processorTime(_ client: HearthClient) throws {
        let source = """
            import time
            def handler(event, context):
                begin = time.monotonic()
                while time.process_time() < event: pass
                return time.monotonic() - begin
            """
        var seconds: [Double] = []
        for cpus in [0.0, 0.25] {
            try client.put("cpu", .python, files: ["app.py": source]) { $0.cpus = cpus }
            let loaded = try client.invoke("cpu", "0")
            #expect(loaded.outcome == .ok, "\(loaded.summary)")
            // What it has used until now counts too.
            let answer = try client.invoke("cpu", "2")
            seconds.append(try #require(Double(answer.text), "\(answer.summary)"))
        }
        #expect(seconds[1] > 2 * seconds[0], "without a limit \(seconds[0]) s, with a quarter \(seconds[1]) s")
        _ = try client.deleteFunction("cpu")
    }
}
