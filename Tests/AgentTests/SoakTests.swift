import AgentTestSupport
import Glibc
import HearthClient
import Linux
import Synchronization
import Testing
import Wire

extension AgentTests {
    /// Many invocations over many functions: what the agent and the nursery hold stays what it was. HEARTH_SOAK is the number of
    /// invocations, 4,000 without it.
    @Suite @TestThread
    struct SoakTests {
        nonisolated private static let functions = 50
        nonisolated private static let callers = 4

        /// What must not grow.
        private struct Held: CustomStringConvertible {
            var agentDescriptors: Int
            var nurseryDescriptors: Int
            var groups: Int
            var processes: Int
            var mounts: Int
            /// KiB resident: hearthd's own (less the files it maps), the nursery's.
            var agentMemory: Int
            var nurseryMemory: Int

            var description: String {
                """
                fds \(agentDescriptors) + \(nurseryDescriptors), groups \(groups), processes \(processes), mounts \(mounts), \
                resident \(agentMemory) + \(nurseryMemory) KiB
                """
            }
        }

        private func held(_ agent: TestAgent) throws -> Held {
            let count = try NodeCount.atRest(agent)
            return Held(
                agentDescriptors: count.agentDescriptors, nurseryDescriptors: count.nurseryDescriptors,
                groups: count.groups, processes: count.processes, mounts: count.mounts,
                agentMemory: try memory(agent.pid, "RssAnon"), nurseryMemory: try memory(agent.nursery, "VmRSS"))
        }

        private func memory(_ pid: Int32, _ field: String) throws -> Int {
            let line = try Files.readText("/proc/\(pid)/status").split(separator: "\n").first { $0.hasPrefix(field) }
            return line?.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) } ?? 0
        }

        @Test func nothingGrows() throws {
            let total = getenv("HEARTH_SOAK").flatMap { Int(String(cString: $0)) } ?? 4000
            let agent = try TestAgent(configuration: "freeze_after: never\nkeep_alive: 1h")
            let client = try agent.client()
            let program = try compileEcho()
            for index in 0..<Self.functions {
                try client.put("echo\(index)", .native, directory: program.path) {
                    $0.argv = ["/var/task/echo"]
                    $0.maxConcurrency = 1
                    $0.memoryBytes = 32 << 20
                }
            }
            // Everything is warm, and every caller's connection has been there once, before the first count.
            try run(agent, 0..<(Self.functions * 4))
            let before = try held(agent)
            let start = now()
            // In parts: a leak grows with each, noise does not.
            var parts: [Held] = []
            let part = max(1, total / 4)
            for index in 0..<4 {
                try run(agent, (index * part)..<((index + 1) * part))
                parts.append(try held(agent))
            }
            let seconds = Double(now() - start) / 1e9
            let last = try #require(parts.last)
            print(
                "soak: \(part * 4) invocations of \(Self.functions) functions in \(Int(seconds)) s; before: \(before); after: \(last)"
            )
            #expect(last.agentDescriptors == before.agentDescriptors, "\(before); \(parts)")
            #expect(last.nurseryDescriptors == before.nurseryDescriptors, "\(before); \(parts)")
            #expect(last.groups == before.groups && last.processes == before.processes, "\(before); \(parts)")
            #expect(last.mounts == before.mounts, "\(before); \(parts)")
            #expect(last.nurseryMemory <= before.nurseryMemory + 8, "\(before); \(parts)")
            // The allocator's own caches fill in the first part; from then on a quarter of the work may cost some pages, no more.
            #expect(last.agentMemory - parts[0].agentMemory <= max(2048, total / 100), "\(before); \(parts)")
            let problems = agent.stop()
            #expect(problems.isEmpty, "\(problems)")
        }

        private func run(_ agent: TestAgent, _ numbers: Range<Int>) throws {
            let callers = try concurrently(Self.callers) { caller in
                let client = try agent.client()
                var wrong: [String] = []
                for number in numbers where number % Self.callers == caller {
                    let answer = try client.invoke("echo\(number % Self.functions)", "payload \(number)")
                    if answer.outcome != .ok || answer.text != "payload \(number)" { wrong.append(answer.summary) }
                }
                return wrong
            }
            let wrong = callers.flatMap { $0 }
            #expect(wrong.isEmpty, "\(wrong.prefix(3))")
        }

        /// The example function native-echo, as its Makefile builds it.
        private func compileEcho() throws -> ScratchDirectory {
            let scratch = try ScratchDirectory()
            let source = try BuildProducts.repository("rootfs-tools/examples/native-echo/echo.c")
            let compiled = try Command.run([
                "/usr/bin/cc", "-O2", "-std=c99", "-static",
                "-I" + (try BuildProducts.repository("rootfs-tools/runtimes/native")),
                "-o", scratch.path + "/echo", source,
            ])
            guard compiled.status == 0 else { throw TestFailure("native-echo: \(compiled.errors)") }
            return scratch
        }
    }
}
