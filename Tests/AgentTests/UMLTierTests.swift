import AgentTestSupport
import Foundation
import Glibc
import HearthClient
import Linux
import Testing
import Wire

/// What the lower tiers do with cgroup v2 controllers, on a machine that has them: user-mode Linux (Tests/uml). All is slow there.
@Suite(
    .serialized, .enabled(if: getenv("HEARTH_UML") != nil, "skipped: runs in user-mode Linux (Tests/uml/run-tests.sh)"))
@TestThread
struct UMLTiers {
    @Test func aPromotedSandboxHasItsFunctionsLimits() throws {
        try withAgent("init_timeout: 60s\ndefault_timeout: 60s\nbare_pool: 1\nruntime_pool: 1\nfreeze_after: never") {
            agent, client in
            try client.put("kit", .python, files: PythonKit.files) {
                $0.memoryBytes = 72 << 20
                $0.cpus = 0.5
            }
            for tier in [HearthTier.runtime, .bare] {
                try client.waitForIdle(1, tier)
                let waiting = try #require(try client.idle(tier).first)
                let group = try agent.group(of: waiting.id)
                #expect(try read(group, "memory.max") == "\(128 << 20)")
                // It has parked: there is nothing left for which it would be held back.
                #expect(try read(group, "cpu.idle") == "0")
            }
            let waiting = try #require(try client.idle(.runtime).first)
            let answer = try client.invoke("kit", "{\"do\":\"count\"}")
            #expect(answer.startKind == .runtime && answer.sandboxID == waiting.id, "\(answer.summary)")
            let group = try agent.group(of: waiting.id)
            #expect(try read(group, "memory.max") == "\(72 << 20)")
            #expect(try read(group, "cpu.max") == "50000 100000")
            #expect(try read(group, "cpu.idle") == "0")
            #expect(try read(group, "cpu.weight") == "100")
            let full = try client.invoke("kit", "{\"do\":\"hold\",\"mib\":100}")
            #expect(full.outcome == .outOfMemory, "\(full.summary)")
        }
    }

    private func read(_ group: String, _ file: String) throws -> String {
        try Files.readText(group + "/" + file).trimmingCharacters(in: .whitespacesAndNewlines)
    }
}
