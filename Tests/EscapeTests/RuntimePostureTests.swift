import AgentTestSupport
import Glibc
import HearthClient
import Linux
import Testing
import Wire

extension EscapeTests {
    /// What a function's processes are, for each runtime, under a real agent.
    @Suite(.serialized, .timeLimit(.minutes(2)), .sharedAgent("log_level: debug")) struct RuntimePosture {
        static let sleeper = "import time\ndef handler(event, context):\n    time.sleep(event)\n    return 1\n"

        /// The sandbox that serves a function, once it is there.
        private func sandbox(of name: String, _ client: HearthClient) throws -> Int32 {
            for _ in 0..<500 {
                if let found = try client.listSandboxes(function: name).first(where: { $0.pid > 0 }) {
                    return Int32(found.pid)
                }
                usleep(10_000)
            }
            throw TestFailure("no sandbox of \(name)")
        }

        private func check(_ name: String, golden: String, _ client: HearthClient) throws {
            let pid = try sandbox(of: name, client)
            try Golden.check(try Posture.report(initial: pid, group: try Posture.group(of: pid)), golden)
            _ = try client.deleteFunction(name)
        }

        @Test func python() throws {
            let client = try TestAgent.shared().client()
            try client.put("posture-python", .python, files: ["app.py": Self.sleeper])
            #expect(try client.invoke("posture-python", "0").outcome == .ok)
            try check("posture-python", golden: "python", client)
        }

        @Test(.enabled(if: access("/usr/bin/node", X_OK) == 0, "skipped: no node")) func node() throws {
            let client = try TestAgent.shared().client()
            try client.put(
                "posture-node", .node, files: ["app.js": "exports.handler = async (event) => event"])
            #expect(try client.invoke("posture-node", "0").outcome == .ok)
            try check("posture-node", golden: "node", client)
        }

        @Test func native() throws {
            let client = try TestAgent.shared().client()
            let scratch = try ScratchDirectory()
            let exit = try Host.run([
                "/usr/bin/gcc", "-O1", "-static", "-I", try BuildProducts.repository("rootfs-tools/runtimes/native"),
                "-o",
                scratch.path + "/echo", try BuildProducts.repository("rootfs-tools/examples/native-echo/echo.c"),
            ])
            #expect(exit.exit == .status(0), "\(exit.text)")
            try client.put("posture-native", .native, directory: scratch.path) { $0.argv = ["/var/task/echo"] }
            #expect(try client.invoke("posture-native", "x").outcome == .ok)
            try check("posture-native", golden: "native", client)
        }

        /// The shelves: a PID 1 that has no function yet, alone and with a language's runtime.
        @Test(arguments: ["bare", "runtime-python", "runtime-node"]) func shelved(_ golden: String) throws {
            let isNode = golden == "runtime-node"
            if isNode, access("/usr/bin/node", X_OK) != 0 { return print("skipped: no node") }
            let tier = golden == "bare" ? HearthTier.bare : .runtime
            try withAgent(tier == .bare ? "bare_pool: 1" : "runtime_pool: 1") { _, client in
                if isNode {
                    try client.put("posture-shelf", .node, files: ["app.js": "exports.handler = async (e) => e"])
                } else {
                    try client.put("posture-shelf", .python, files: ["app.py": Self.sleeper])
                }
                try client.waitForIdle(1, tier)
                let pid = Int32(try #require(try client.idle(tier).first).pid)
                try Golden.check(try Posture.report(initial: pid, group: try Posture.group(of: pid)), golden)
            }
        }

        /// From whichever shelf a sandbox comes, with its function in it it is what a new one would be.
        @Test(arguments: [HearthTier.bare, .runtime]) func promoted(_ tier: HearthTier) throws {
            try withAgent(tier == .bare ? "bare_pool: 1" : "runtime_pool: 1") { _, client in
                try client.put("posture-python", .python, files: ["app.py": Self.sleeper])
                try client.waitForIdle(1, tier)
                let answer = try client.invoke("posture-python", "0")
                #expect(answer.startKind == (tier == .bare ? .bare : .runtime), "\(answer.summary)")
                let found = try client.listSandboxes(function: "posture-python").first { $0.id == answer.sandboxID }
                let pid = Int32(try #require(found).pid)
                let report = try Posture.report(initial: pid, group: try Posture.group(of: pid))
                var lines = report.split(separator: "\n", omittingEmptySubsequences: false)
                // PID 1, whose lines come first, waited with everybody's filter, and has its own besides.
                if tier == .bare, let first = lines.firstIndex(where: { $0.hasPrefix("Seccomp_filters") }) {
                    #expect(lines[first] == "Seccomp_filters: 2")
                    lines[first] = "Seccomp_filters: 1"
                }
                try Golden.check(lines.joined(separator: "\n"), "python")
            }
        }

        /// A command is there only while it runs.
        @Test func command() throws {
            let agent = try TestAgent.shared()
            let client = try agent.client()
            try client.put("posture-command", .command) { $0.argv = ["/bin/sleep", "3"] }
            let running = AgentTestSupport.Background { try agent.client().invoke("posture-command", "") }
            let pid = try sandbox(of: "posture-command", client)
            let group = try Posture.group(of: pid)
            for _ in 0..<500 {
                let processes = try Files.readText(group + "/cgroup.procs").split(separator: "\n")
                // Until exec its image is PID 1's.
                if let own = processes.compactMap({ Int32($0) }).first(where: { $0 != pid }),
                    (try? Files.readText("/proc/\(own)/comm")) == "sleep\n",
                    // And PID 1 has its copies of the program's descriptors until it runs again after that.
                    try Files.list("/proc/\(pid)/fd").allSatisfy({ name in
                        Posture.link("/proc/\(pid)/fd/\(name)")?.hasPrefix("pipe:") != true
                    })
                {
                    break
                }
                usleep(5000)
            }
            try Golden.check(try Posture.report(initial: pid, group: group), "command")
            #expect(try running.join().outcome == .ok)
            _ = try client.deleteFunction("posture-command")
        }
    }
}
