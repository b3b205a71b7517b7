import AgentTestSupport
import Foundation
import Glibc
import HearthClient
import Linux
import Testing
import Wire

extension AgentTests {
    /// Sandboxes below the ready tier, and what becomes of them.
    @Suite @TestThread
    struct TierTests {
        /// What of a process's posture can be read inside, and of its PID 1.
        static let posture = """
            import json, os
            def lines(path, names):
                with open(path) as file:
                    return [line.strip() for line in file if line.split(":")[0] in names]
            def handler(event, context):
                names = ("Uid", "Gid", "Groups", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs",
                         "Seccomp", "Seccomp_filters", "SigBlk", "SigIgn", "SigCgt", "Umask", "Threads", "NSsid", "NSpgid")
                with open("/proc/self/limits") as file: limits = file.read()
                with open("/proc/self/mountinfo") as file:
                    mounts = sorted(" ".join(line.split()[4:6] + line.split(" - ")[1].split()[:1]) for line in file)
                return {
                    "self": lines("/proc/self/status", names), "limits": limits,
                    "mounts": mounts, "environment": dict(os.environ), "cwd": os.getcwd(),
                    "policy": os.sched_getscheduler(0), "nice": os.nice(0), "fds": sorted(os.listdir("/proc/self/fd")),
                    "cmdline": open("/proc/self/cmdline").read().split(chr(0)), "autogroup": autogroup(),
                }
            def autogroup():
                try:
                    with open("/proc/self/autogroup") as file: return file.read().split()[-1]
                except OSError: return "none"
            """

        private func put(_ client: HearthClient, minReady: UInt32 = 0) throws {
            try client.put("posture", .python, files: ["app.py": Self.posture]) {
                $0.memoryBytes = 192 << 20
                $0.pids = 40
                $0.env = ["COLOUR": "green"]
                $0.minReady = minReady
            }
        }

        /// Whichever way a sandbox came to its function, what runs in it may do the same.
        @Test func everyWayToAFunctionEndsInTheSamePosture() throws {
            let cold = try withAgent("") { _, client in
                try put(client)
                return try answer(client, .cold)
            }
            let bare = try withAgent("bare_pool: 1") { _, client in
                try put(client)
                try client.waitForIdle(1, .bare)
                return try answer(client, .bare)
            }
            let runtime = try withAgent("runtime_pool: 1") { _, client in
                try put(client)
                try client.waitForIdle(1, .runtime)
                return try answer(client, .runtime)
            }
            let prefetched = try withAgent("") { _, client in
                try put(client, minReady: 1)
                try client.waitForIdle(1, .ready, function: "posture")
                return try answer(client, .prefetched)
            }
            #expect(cold.contains("\"policy\":0"), "\(cold)")
            #expect(cold.contains("green"))
            #expect(bare == cold)
            #expect(runtime == cold)
            #expect(prefetched == cold)
        }

        private func answer(_ client: HearthClient, _ kind: HearthStartKind) throws -> String {
            let answer = try client.invoke("posture", "{}")
            try #require(answer.outcome == .ok, "\(answer.summary)")
            #expect(answer.startKind == kind, "\(answer.summary)")
            let timing = answer.timing
            #expect(
                timing.queuedNs + timing.sandboxNs + timing.initNs + timing.runNs <= timing.totalNs, "\(timing)")
            switch kind {
            case .prefetched: #expect(timing.sandboxNs == 0 && timing.initNs == 0, "\(timing)")
            default: #expect(timing.sandboxNs > 0 && timing.initNs > 0, "\(timing)")
            }
            // The next one is warm, in the same sandbox.
            let next = try client.invoke("posture", "{}")
            #expect(next.startKind == .warm && next.sandboxID == answer.sandboxID, "\(next.summary)")
            return answer.text
        }

        /// A program of the function's own starts from a bare sandbox, with code and without; the shelf is filled again.
        @Test func programsStartFromBareSandboxes() throws {
            try withAgent("bare_pool: 1\nlog_level: debug") { agent, client in
                try client.put("shell", .command) { $0.argv = ["/bin/cat"] }
                try client.put("script", .command, files: ["say.sh": "echo said; cat"]) {
                    $0.argv = ["/bin/sh", "say.sh"]
                }
                let program = try NativeEcho.build()
                try client.put("native", .native, directory: program.path) { $0.argv = ["/var/task/echo"] }
                for (name, answer) in [("shell", "x"), ("script", "said\nx"), ("native", "x")] {
                    try client.waitForIdle(1, .bare)
                    let shelved = try client.idle(.bare)
                    #expect(shelved.first?.reason.hasPrefix("kept ready for any function") == true, "\(shelved)")
                    let first = try client.invoke(name, "x")
                    #expect(first.outcome == .ok && first.text == answer, "\(name): \(first.summary)")
                    #expect(first.startKind == .bare, "\(name): \(first.summary)")
                    #expect(first.sandboxID == shelved.first?.id)
                    let second = try client.invoke(name, "x")
                    #expect(second.startKind == .warm && second.text == answer, "\(name): \(second.summary)")
                }
                #expect(try client.gauge("pool.promoted") == 3)
                let info = try client.listSandboxes(function: "shell").first
                #expect(
                    info?.tier == .ready && info?.reason.contains("a request that waited") == true, "\(info as Any)")
            }
        }

        /// A function with another /tmp cannot have a sandbox whose /tmp is mounted already, nor one with other limits its runtime.
        @Test func whatIsFixedAtTheStartIsNotShared() throws {
            try withAgent("bare_pool: 1\nruntime_pool: 1") { _, client in
                try client.put("usual", .python, files: PythonKit.files)
                try client.waitForIdle(1, .runtime)
                try client.put("large", .command) {
                    $0.argv = ["/bin/df", "--output=size", "-k", "/tmp"]
                    $0.tmpBytes = 96 << 20
                }
                try eventually("a bare sandbox for each size of /tmp", within: 90) {
                    try client.idle(.bare).count == 2
                }
                let answer = try client.invoke("large")
                #expect(answer.startKind == .bare && answer.text.contains("98304"), "\(answer.summary)")
                let other = try client.invoke("usual", "{\"do\":\"count\"}")
                #expect(other.startKind == .runtime && other.text == "1", "\(other.summary)")
            }
        }

        /// PID 1 that waits for a function may still mount; one that has a function may not, and nothing of a tenant is with the first.
        @Test func aSandboxIsSealedWithItsFunction() throws {
            try withAgent("runtime_pool: 1") { agent, client in
                try client.put("posture", .python, files: ["app.py": Self.posture])
                try client.waitForIdle(1, .runtime)
                let waiting = try #require(try client.idle(.runtime).first)
                #expect(waiting.function.isEmpty && waiting.generation == 0)
                let before = try status(waiting.pid)
                #expect(before["CapEff"] != "0000000000000000" && before["Seccomp"] == "0", "\(before)")
                let answer = try client.invoke("posture", "{}")
                #expect(answer.startKind == .runtime && answer.sandboxID == waiting.id, "\(answer.summary)")
                let after = try status(waiting.pid)
                #expect(after["CapEff"] == "0000000000000000" && after["Seccomp"] == "2", "\(after)")
            }
        }

        private func status(_ pid: Int32) throws -> [String: String] {
            var fields: [String: String] = [:]
            for line in try Files.readText("/proc/\(pid)/status").split(separator: "\n") {
                let parts = line.split(separator: ":", maxSplits: 1)
                if parts.count == 2 { fields[String(parts[0])] = parts[1].trimmingCharacters(in: .whitespaces) }
            }
            return fields
        }

        /// One that dies while it waits is replaced, and nothing else is hurt.
        @Test func aShelfRecoversFromDeaths() throws {
            try withAgent("bare_pool: 1\nruntime_pool: 1") { _, client in
                try client.put("kit", .python, files: PythonKit.files)
                for tier in [HearthTier.bare, .runtime] {
                    try client.waitForIdle(1, tier)
                    let victim = try #require(try client.idle(tier).first)
                    kill(victim.pid, SIGKILL)
                    try eventually("another \(tier) sandbox", within: 90) {
                        let idle = try client.idle(tier)
                        return idle.count == 1 && idle.first?.id != victim.id
                    }
                }
                let answer = try client.invoke("kit", "{\"do\":\"count\"}")
                #expect(answer.outcome == .ok && answer.startKind == .runtime, "\(answer.summary)")
            }
        }

        /// An idle sandbox stands still, threads of its function's included, and serves again at once.
        @Test func anIdleSandboxIsFrozenAndThawed() throws {
            try withAgent("freeze_after: 100ms") { agent, client in
                let source = """
                    import threading, time
                    ticks = 0
                    def tick():
                        global ticks
                        while True:
                            ticks += 1
                            time.sleep(0.01)
                    threading.Thread(target=tick, daemon=True).start()
                    def handler(event, context): return ticks
                    """
                try client.put("ticker", .python, files: ["app.py": source])
                #expect(try client.invoke("ticker").outcome == .ok)
                try eventually("it is frozen") {
                    try client.listSandboxes(function: "ticker").first?.state == "frozen"
                }
                let group = try #require(try agent.populatedGroups().first)
                try eventually("the kernel says so too") {
                    try Files.readText(group + "/cgroup.events").contains("frozen 1")
                }
                let before = try #require(Int(try client.invoke("ticker").text))
                try eventually("it is frozen again") {
                    try client.listSandboxes(function: "ticker").first?.state == "frozen"
                }
                usleep(600_000)
                let answer = try client.invoke("ticker")
                let after = try #require(Int(answer.text))
                // Awake it would have counted to sixty; it has a tenth of a second, and what a busy machine makes of it.
                #expect(answer.startKind == .warm && after - before < 55, "\(before) to \(after): \(answer.summary)")
            }
        }

        /// Stalls reach the pool from the kernel. The processor's stand for those of memory, which a test cannot make without harm.
        @Test func pressureReachesThePool() throws {
            guard Files.exists("/proc/pressure/cpu") else { return print("skipped: no pressure stall information") }
            try withAgent("pressure_file: /proc/pressure/cpu") { _, client in
                let finding = try client.doctor().first { $0.id == "pressure" }
                #expect(finding?.status == .ok, "\(finding as Any)")
                // More to do than there are processors, for as long as the kernel's window needs.
                let busy = try (0..<8).map { _ in try Command(["/bin/sh", "-c", "while :; do :; done"]) }
                defer {
                    for command in busy {
                        try? command.signal(SIGKILL)
                        _ = try? command.wait()
                    }
                }
                try eventually("the pool knows of it") { try client.gauge("pool.memory_pressure") >= 1 }
                #expect(try client.gauge("threshold.confidence") > 0.5)
            }
        }
    }
}
