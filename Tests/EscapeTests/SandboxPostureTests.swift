import Linux
import SandboxTestSupport
import Testing

@testable import Sandbox

extension EscapeTests {
    /// What a sandbox is before anything of a function is in it, and with a plain program.
    @Suite(.serialized, .timeLimit(.minutes(2))) struct SandboxPosture {
        @Test @LoopActor func bare() async throws {
            try await withNode { node in
                let sandbox = try node.create()
                try await sandbox.ready()
                let text = try Posture.report(
                    initial: try await sandbox.pid(), group: sandbox.sandbox.cgroup.path)
                try Golden.check(text, "bare")
                try await sandbox.end()
            }
        }

        @Test @LoopActor func programWithATerminal() async throws {
            try await withNode { node in
                let sandbox = try await node.armed("tenant") { $0.terminals = true }
                _ = try await Background.start("tenant", ["crowd", "2"], in: sandbox)
                let text = try Posture.report(
                    initial: try await sandbox.pid(), group: sandbox.sandbox.cgroup.path)
                try Golden.check(text, "program")
                try await sandbox.end()
            }
        }

        /// Landlock shows in no file of /proc; what it refuses does: two programs of one sandbox that only it keeps apart.
        @Test(.enabled(if: Probes.landlockABI() >= 6, "skipped: no Landlock with scopes in this kernel")) @LoopActor
        func landlockIsOn() async throws {
            try await withNode { node in
                let sandbox = try await node.armed("tenant")
                _ = try await Background.start("tenant", ["victim"], in: sandbox)
                let outcomes = try await sandbox.attack("tenant", ["attacker", "2"])
                // The same name space of sockets, the same user, the same PID namespace.
                #expect(outcomes["abstract"] == "EPERM")
                #expect(outcomes["signal"] == "EPERM")
                // What a sandbox's programs are to have in common they do have.
                #expect(outcomes["loopback"] == "ok" && outcomes["file"] == "ok" && outcomes["shm.sysv"] == "ok")
                // Nor may one look into the other, so that procfs does not show it either.
                #expect(outcomes["processes"] == "none" && outcomes["environment"] == "none")
                try await sandbox.end()
            }
        }
    }
}
