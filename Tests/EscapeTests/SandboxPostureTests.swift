import Glibc
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
                let program = try SeccompProgram(compiling: try TestFiles.defaultProfile())
                let filter = try sandbox.sandbox.filter(try WaitingFilter(program))
                try await sandbox.event("filtered") { if case .filtered(filter) = $0 { true } else { false } }
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

        /// What the golden files are for: whoever gives something away sees it there, and nothing else.
        enum Weakening: CaseIterable {
            case filter, identity, capability, descriptor, limits, terminal

            var changes: Set<String> {
                switch self {
                case .filter: ["Seccomp", "Seccomp_filters"]
                case .identity: ["Uid in the slot", "Gid in the slot"]
                case .capability: ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"]
                case .descriptor: ["descriptors"]
                case .limits: ["Max core file size", "Max open files", "Max processes"]
                case .terminal: ["/dev/pts devpts rw,nosuid,noexec"]
                }
            }
        }

        @Test(arguments: Weakening.allCases) @LoopActor func aWeakerSandboxIsSeen(_ weakening: Weakening) async throws {
            try await withNode { node in
                let given = weakening == .capability ? try CapabilitySet(names: ["net_bind_service"]) : .none
                let sandbox = try await node.armed("tenant") {
                    $0.terminals = weakening != .terminal
                    $0.capabilities = given
                }
                let extra = try Files.open("/proc", flags: O_RDONLY | O_DIRECTORY)
                _ = try await Background.start(
                    "tenant", ["crowd", "2"], in: sandbox, uid: weakening == .identity ? 0 : 1000,
                    weakened: {
                        if weakening == .filter { $0.filter = nil }
                        if weakening == .limits { $0.rlimits = [ResourceLimit(.processes, 65)] }
                        $0.capabilities = given
                    }, extra: weakening == .descriptor ? [extra.rawValue] : [])
                let text = try Posture.report(
                    initial: try await sandbox.pid(), group: sandbox.sandbox.cgroup.path)
                let changed = try Golden.differences(text, "program").map { line in
                    // "12 + Seccomp: 0"
                    String(line.split(separator: " ", maxSplits: 2).last?.split(separator: ":").first ?? "")
                }
                #expect(Set(changed).isSuperset(of: weakening.changes), "\(changed)")
                // What the node's own limits are, a process without any has: how many lines that changes is the node's affair.
                if weakening != .limits { #expect(Set(changed) == weakening.changes, "\(changed)") }
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
