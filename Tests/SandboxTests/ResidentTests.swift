import Linux
import SandboxTestSupport
import Testing

@testable import Sandbox

extension SandboxTests {
    /// What the processes that every sandbox pays for hold in memory; the budgets are DESIGN's.
    @Suite(.serialized, .timeLimit(.minutes(2))) struct Resident {
        private func resident(_ pid: Int32) throws -> Int {
            let lines = try Files.readText("/proc/\(pid)/smaps_rollup").split(separator: "\n")
            let line = lines.first { $0.hasPrefix("Rss:") }
            return line?.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? -1
        }

        /// PID 1 waits with 32 KiB at most, the stack of its birth and the command line that names the node's directories given back.
        @Test @LoopActor func aWaitingPID1IsSmall() async throws {
            try await withNode { node in
                let sandbox = try node.create()
                let cookie = try sandbox.spawn(["/bin/true"])
                _ = try await sandbox.exited(cookie)
                let pid = try await sandbox.pid()
                try await eventually("it has settled: \((try? self.resident(pid)) ?? -1) KiB") {
                    try (1...32).contains(self.resident(pid))
                }
                #expect(!(try Files.readText("/proc/\(pid)/cmdline").contains(node.directory)))
                try await sandbox.end()
            }
        }

        /// The nursery's table is as large as what is in it.
        @Test @LoopActor func theNurseryForgetsWhoIsGone() async throws {
            try await withNode(networks: 4) { node in
                for _ in 0..<2 { try await node.create().end() }
                let before = try self.resident(node.nurseryPid)
                // 104 bytes each, 40 KiB together; they end in the order in which they lie, each page's last one reaching into the next.
                var sandboxes: [TestSandbox] = []
                for _ in 0..<400 { sandboxes.append(try node.create()) }
                for sandbox in sandboxes { try await sandbox.ready() }
                let full = try self.resident(node.nurseryPid)
                for sandbox in sandboxes { try await sandbox.end() }
                #expect(full >= before + 24, "\(before) KiB, with 400 sandboxes \(full)")
                var after = full
                try? await eventually("its pages have gone") {
                    after = try self.resident(node.nurseryPid)
                    return after <= before + 16
                }
                #expect(after <= before + 16, "\(before) KiB, \(full) with 400 sandboxes, \(after) after them")
            }
        }
    }
}
