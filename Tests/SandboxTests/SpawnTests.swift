import Glibc
import Linux
import SandboxTestSupport
import Testing

@testable import Sandbox

extension SandboxTests {
    /// Starting programs: what may be asked, and what PID 1 says when it cannot.
    @Suite(.serialized) struct Spawn {
        @LoopActor
        private func failure(
            _ sandbox: TestSandbox, _ argv: [String], _ change: (inout SpawnRequest) -> Void = { _ in }
        ) async throws -> String {
            do {
                let output = try await sandbox.run(argv, change)
                throw TestFailure("it ran: \(output)")
            } catch let error as SandboxError {
                return "\(error)"
            }
        }

        @Test @LoopActor func execErrorsSayWhy() async throws {
            try await withNode { node in
                let sandbox = try node.create()
                #expect(
                    try await failure(sandbox, ["/nowhere"])
                        == "sandbox: executing the program failed: ENOENT (No such file or directory)")
                #expect(
                    try await failure(sandbox, ["/etc/passwd"])
                        == "sandbox: executing the program failed: EACCES (Permission denied)")
                #expect(
                    try await failure(sandbox, ["/etc"])
                        == "sandbox: executing the program failed: EACCES (Permission denied)")
                #expect(
                    try await failure(sandbox, ["no-such-program"])
                        == "sandbox: executing the program failed: ENOENT (No such file or directory)")
                _ = try await sandbox.run([
                    "/bin/sh", "-c",
                    "printf 'no magic' > /tmp/p; chmod 755 /tmp/p; cp /bin/true /tmp/t; chmod 644 /tmp/t",
                ])
                #expect(
                    try await failure(sandbox, ["/tmp/p"])
                        == "sandbox: executing the program failed: ENOEXEC (Exec format error)")
                let lost = try await failure(sandbox, ["/bin/true"], { $0.directory = "/nowhere" })
                #expect(
                    lost
                        == "sandbox: entering the working directory failed: ENOENT (No such file or directory)")
                let file = try await failure(sandbox, ["/bin/true"], { $0.directory = "/etc/passwd" })
                #expect(
                    file
                        == "sandbox: entering the working directory failed: ENOTDIR (Not a directory)")
                #expect(try await sandbox.run(["/bin/true"]).exit == .status(0))
                try await sandbox.end()
            }
        }

        @Test @LoopActor func searchesThePath() async throws {
            try await withNode { node in
                let sandbox = try node.create()
                #expect(try await sandbox.run(["echo", "x"]).text == "x\n")
                let withoutPath = try await sandbox.run(["echo", "x"], { $0.environment = [] })
                #expect(withoutPath.text == "x\n")
                let here = try await sandbox.run(
                    ["echo", "x"], { $0.environment = ["PATH=/nowhere:/etc/passwd::/bin"] })
                #expect(here.text == "x\n")
                let nowhere = try await failure(sandbox, ["echo"], { $0.environment = ["PATH=/nowhere"] })
                #expect(nowhere.contains("ENOENT"))
                // EACCES on the way is remembered, as execvp(3) does.
                _ = try await sandbox.run([
                    "/bin/sh", "-c", "mkdir /tmp/a; cp /bin/true /tmp/a/prog; chmod 644 /tmp/a/prog",
                ])
                let refused = try await failure(sandbox, ["prog"], { $0.environment = ["PATH=/tmp/a:/nowhere"] })
                #expect(
                    refused
                        == "sandbox: executing the program failed: EACCES (Permission denied)")
                let long = "/" + String(repeating: "x", count: 5000)
                let passed = try await sandbox.run(["true"], { $0.environment = ["PATH=\(long):/bin"] })
                #expect(passed.exit == .status(0))
                try await sandbox.end()
            }
        }

        @Test @LoopActor func argumentsAndVariablesAreBounded() async throws {
            try await withNode { node in
                let sandbox = try node.create()
                let many = ["/bin/sh", "-c", "echo $#", "sh"] + (0..<1020).map { "a\($0)" }
                #expect(try await sandbox.run(many).text == "1020\n")
                let variables = ["PATH=/bin"] + (0..<1023).map { "V\($0)=x" }
                let counted = try await sandbox.run(
                    ["/bin/sh", "-c", "env | grep -c ^V"], { $0.environment = variables })
                #expect(counted.text == "1023\n")
                for argv in [
                    [], [""], many + ["one more"], ["/bin/true", "a\0b"],
                    ["/bin/true", String(repeating: "x", count: 98_304)],
                ] {
                    #expect(throws: SandboxError.self, "\(argv.count)") { _ = try sandbox.spawn(argv) }
                }
                var request = SpawnRequest(argv: ["true"], environment: variables + ["W=1"])
                #expect(throws: SandboxError.self) { _ = try sandbox.sandbox.spawn(request, descriptors: []) }
                request.environment = []
                request.rlimits = [ResourceLimit](repeating: ResourceLimit(.core, 0), count: 13)
                #expect(throws: SandboxError.self) { _ = try sandbox.sandbox.spawn(request, descriptors: []) }
                // 90 KiB in one argument get through whole.
                let long = String(repeating: "y", count: 90_000)
                #expect(try await sandbox.run(["/bin/echo", "-n", long]).text == long)
                #expect(try await sandbox.run(["/bin/echo", "", "ä", "a b"]).text == " ä a b\n")
                try await sandbox.end()
            }
        }

        @Test @LoopActor func limitsOfResourcesHold() async throws {
            try await withNode { node in
                let output = try await node.run(
                    ["/bin/sh", "-c", "ulimit -c; ulimit -n; ulimit -Hn; ulimit -f"],
                    {
                        $0.rlimits = [
                            ResourceLimit(.core, 0), ResourceLimit(.openFiles, 64), ResourceLimit(.fileSize, 512 << 10),
                        ]
                    })
                #expect(output.lines == ["0", "64", "64", "1024"])
                let sandbox = try node.create()
                let refused = try await failure(
                    sandbox, ["/bin/true"],
                    { $0.rlimits = [ResourceLimit(.nice, 1 << 40), ResourceLimit(.openFiles, 1 << 40)] })
                #expect(refused.contains("setting limits"))
                try await sandbox.end()
            }
        }

        @Test @LoopActor func sixteenProgramsAtOnceAndNotOneMore() async throws {
            try await withNode { node in
                let sandbox = try node.create()
                for _ in 0..<16 { _ = try await sandbox.started(try sandbox.spawn(["/bin/sleep", "1000"])) }
                #expect(try await failure(sandbox, ["/bin/true"]).contains("finding a free place"))
                try sandbox.sandbox.signal(SIGKILL)
                try await eventually("they end") {
                    sandbox.events.count { if case .exited = $0 { true } else { false } } == 16
                }
                #expect(try await sandbox.run(["/bin/true"]).exit == .status(0))
                try await sandbox.end()
            }
        }

        @Test @LoopActor func capabilitiesReachAProgramOnlyWhenTheSandboxHasThem() async throws {
            try await withNode { node in
                let bind = try CapabilitySet(names: ["net_bind_service"])
                let without = try node.create()
                let refused = try await failure(without, ["/bin/true"], { $0.capabilities = bind })
                #expect(refused.contains("dropping capabilities"))
                try await without.end()
                let with = try node.create { $0.capabilities = bind }
                let output = try await with.run(["/bin/grep", "Cap", "/proc/self/status"], { $0.capabilities = bind })
                #expect(
                    output.lines == [
                        "CapInh:\t0000000000000400", "CapPrm:\t0000000000000400", "CapEff:\t0000000000000400",
                        "CapBnd:\t0000000000000400", "CapAmb:\t0000000000000400",
                    ], "\(output.text)")
                let plain = try await with.run(["/bin/grep", "CapEff", "/proc/self/status"])
                #expect(plain.text == "CapEff:\t0000000000000000\n")
                try await with.end()
            }
        }

        @Test func capabilityNamesAreThoseOfLibcap() throws {
            #expect(try CapabilitySet(names: ["cap_net_bind_service"]).mask == 1 << 10)
            #expect(
                try CapabilitySet(names: ["NET_BIND_SERVICE", "CAP_CHOWN", "sys_admin"]).mask == 1 << 10 | 1 | 1 << 21)
            #expect(try CapabilitySet(names: []) == .none)
            #expect(CapabilitySet(mask: 1 << 21 | 1).names == ["cap_chown", "cap_sys_admin"])
            for name in ["", "cap_", "net_admin ", "cap_nothing", "nöt", "64", "-1", "=ep"] {
                let error = #expect(throws: SandboxError.self, "\(name)") { _ = try CapabilitySet(names: [name]) }
                #expect(try #require(error).description.hasPrefix("'\(name)' is no capability"))
            }
        }
    }
}
