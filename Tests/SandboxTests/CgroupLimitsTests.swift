import Glibc
import Linux
import SandboxTestSupport
import Testing

@testable import Sandbox

extension Tag {
    @Tag static var cgroupLimits: Self
}

/// Whether the v2 hierarchy of this machine can limit memory, processes and CPU.
private func hasControllers() -> Bool {
    guard let mount = try? Cgroup.mountPoint(), let group = try? Cgroup(opening: mount),
        let available = try? group.availableControllers()
    else { return false }
    return ["memory", "pids", "cpu"].allSatisfy(available.contains)
}

extension SandboxTests {
    /// The limits that only cgroup v2 gives. On a hybrid machine they are tested in user-mode Linux instead.
    @Suite(
        .serialized, .tags(.cgroupLimits),
        .enabled(if: hasControllers(), "skipped: no v2 memory, pids and cpu controllers here; run in user-mode Linux"))
    struct CgroupLimits {
        @Test @LoopActor func everyLimitIsWritten() async throws {
            try await withNode { node in
                #expect(node.cgroups.hasMemory && node.cgroups.hasPids && node.cgroups.hasCPU)
                let sandbox = try node.create {
                    $0.limits.memory = 48 << 20
                    $0.limits.processes = 33
                    $0.limits.cpus = 0.25
                    $0.limits.cpuWeight = 7
                }
                let group = sandbox.sandbox.cgroup.path
                let expected = [
                    "memory.max": "\(48 << 20)", "memory.oom.group": "1", "pids.max": "33", "cpu.max": "25000 100000",
                    "cpu.weight": "7",
                ]
                for (file, value) in expected {
                    #expect(try Files.readText(group + "/" + file) == value + "\n", "\(file)")
                }
                if Files.exists(group + "/memory.swap.max") {
                    #expect(try Files.readText(group + "/memory.swap.max") == "0\n")
                }
                try await sandbox.ready()
                #expect(try #require(sandbox.sandbox.memoryCurrent()) > 0)
                try await sandbox.end()
            }
        }

        @Test @LoopActor func outOfMemoryIsCounted() async throws {
            try await withNode { node in
                let sandbox = try node.create { $0.limits.memory = 24 << 20 }
                // tail keeps everything until it sees a line's end.
                _ = try sandbox.spawn(["/bin/sh", "-c", "head -c 200000000 /dev/zero | tail"])
                let end = try await sandbox.waitForEnd()
                #expect(end.oomKills > 0)
                #expect(end.failure == nil)
                // The next one starts with a clean count.
                let next = try node.create { $0.limits.memory = 64 << 20 }
                #expect(try await next.run(["/bin/true"]).exit == .status(0))
                #expect(try await next.end().oomKills == 0)
            }
        }

        @Test @LoopActor func filesInTmpCountAsMemory() async throws {
            try await withNode { node in
                let sandbox = try node.create {
                    $0.limits.memory = 24 << 20
                    $0.limits.tmpBytes = 200 << 20
                }
                _ = try sandbox.spawn(["/bin/dd", "if=/dev/zero", "of=/tmp/f", "bs=1M", "count=100"])
                #expect(try await sandbox.waitForEnd().oomKills > 0)
            }
        }

        @Test @LoopActor func aForkBombIsCounted() async throws {
            try await withNode { node in
                let sandbox = try node.create { $0.limits.processes = 12 }
                let output = try await sandbox.run([
                    "/bin/sh", "-c", "for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14; do sleep 1000 & done",
                ])
                #expect(output.errors.contains("fork"), "\(output.errors)")
                #expect(try await sandbox.end().refusedForks > 0)
                #expect(try await node.run(["/bin/true"]).exit == .status(0))
            }
        }

        @Test @LoopActor func aSpinnerGetsItsShare() async throws {
            try await withNode { node in
                let sandbox = try node.create { $0.limits.cpus = 0.25 }
                let start = monotonicNow()
                let output = try await sandbox.run(["/usr/bin/timeout", "2", "/bin/sh", "-c", "while :; do :; done"])
                let wall = Double(monotonicNow() - start) / 1000
                let used = Double(output.end.userMicroseconds + output.end.systemMicroseconds)
                #expect(output.exit == .status(124))
                #expect(used / wall > 0.10 && used / wall < 0.40, "\(used / wall) of a CPU")
                try await sandbox.end()
            }
        }
    }
}
