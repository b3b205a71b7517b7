import Glibc
import Linux
import SandboxTestSupport
import Testing

@testable import Sandbox

/// Whether this machine's v2 hierarchy limits memory and processes; else rlimits stand in, and only some bombs are bounded.
private func hasControllers() -> Bool {
    guard let mount = try? Cgroup.mountPoint(), let group = try? Cgroup(opening: mount),
        let available = try? group.availableControllers()
    else { return false }
    return ["memory", "pids", "cpu"].allSatisfy(available.contains)
}

extension EscapeTests {
    /// A tenant that takes all it can get of one thing; its neighbour is measured meanwhile.
    @Suite(.serialized, .timeLimit(.minutes(5))) struct Bombs {
        /// What is had of each thing, and the answer at its end.
        struct Bomb: Sendable, CustomTestStringConvertible {
            let what: String
            let limits: [(name: String, most: Int, end: String)]
            var testDescription: String { what }
        }

        static let bombs = [
            Bomb(what: "fork", limits: [("fork", 63, "EAGAIN")]),
            Bomb(
                what: "tmpfs",
                limits: [("tmp", 64, "ENOSPC"), ("shm.fs", 32, "ENOSPC"), ("files", 300, "ENOSPC")]),
            Bomb(what: "fd", limits: [("fd", 1024, "EMFILE")]),
            Bomb(what: "pipe", limits: [("pipe", 128, "EMFILE")]),
            Bomb(what: "inotify", limits: [("inotify", 0, "ENOSYS")]),
            Bomb(what: "flight", limits: [("flight", 4096, "ETOOMANYREFS")]),
        ]

        /// How long the neighbour takes to start a program and see its end; the middle one of several, in nanoseconds.
        @LoopActor
        private func pulse(_ neighbour: TestSandbox, _ count: Int = 9) async throws -> Int64 {
            var times: [Int64] = []
            for _ in 0..<count {
                let start = monotonicNow()
                let cookie = try neighbour.spawn(["/bin/true"])
                let end = try await neighbour.exited(cookie)
                #expect(end.exit == .status(0))
                times.append(monotonicNow() - start)
            }
            return times.sorted()[count / 2]
        }

        @LoopActor
        private func detonate(_ bomb: Bomb, within ratio: Int64, floor: Int64) async throws {
            try await withNode { node in
                let neighbour = try node.create()
                try await neighbour.ready()
                let before = try await pulse(neighbour)
                let sandbox = try await node.armed("bombs") {
                    $0.limits.tmpBytes = 4 << 20
                    $0.limits.tmpFiles = 300
                    $0.limits.shmBytes = 2 << 20
                    $0.limits.processes = 64
                }
                let background = try Background.begin("bombs", [bomb.what, "2"], in: sandbox)
                let last = try #require(bomb.limits.last)
                try await eventually("the \(bomb.what) bomb has gone off", within: 90) {
                    if sandbox.ended != nil { return true }
                    return try background.text().contains(last.name + ".end ")
                }
                let during = try await pulse(neighbour)
                let outcomes = Attack.parse(try background.text())
                for limit in bomb.limits {
                    let had = outcomes[limit.name].flatMap { Int($0) }
                    #expect((had ?? .max) <= limit.most, "\(limit.name): \(outcomes)")
                    #expect(outcomes[limit.name + ".end"] == limit.end, "\(outcomes)")
                }
                // Scheduling is fair by sandbox only where there is a CPU controller: the bound is generous, what it
                // catches is a neighbour that waits for a lock or a limit which the bomb holds.
                #expect(during <= max(before * ratio, floor), "\(bomb.what): \(before / 1000) -> \(during / 1000) us")
                try await sandbox.end()
                let after = try await pulse(neighbour)
                #expect(after <= max(before * ratio, floor))
                try await neighbour.end()
            }
        }

        @Test(arguments: bombs) @LoopActor func theNeighbourGoesOn(_ bomb: Bomb) async throws {
            try await detonate(bomb, within: 100, floor: 400_000_000)
        }

        /// On the node itself nothing stops any of them where a sandbox does; asked of limits, not of a machine that dies.
        @Test func outsideTheLimitsAreOthers() throws {
            let script = "ulimit -n 4096; \"$0\" fd 0; \"$0\" inotify 0; \"$0\" fork 0.1 200"
            let outcomes = Attack.parse(try Host.isolated(script, [try Attack.program("bombs")]).text)
            #expect((outcomes["fd"].flatMap { Int($0) } ?? 0) > 1024, "\(outcomes)")
            #expect((outcomes["inotify"].flatMap { Int($0) } ?? 0) > 0, "\(outcomes)")
            #expect(outcomes["fork"] == "200", "\(outcomes)")
        }

        // MARK: With the whole of cgroup v2

        @Test(.enabled(if: hasControllers(), "skipped: no v2 controllers here; run in user-mode Linux")) @LoopActor
        func UMLMemoryIsTheSandboxsOwn() async throws {
            try await withNode { node in
                let neighbour = try node.create()
                try await neighbour.ready()
                let before = try await pulse(neighbour, 5)
                let sandbox = try await node.armed("bombs") { $0.limits.memory = 32 << 20 }
                _ = try Background.begin("bombs", ["memory", "1"], in: sandbox)
                let end = try await sandbox.waitForEnd()
                #expect(end.oomKills > 0, "\(end)")
                #expect(try await pulse(neighbour, 5) <= max(before * 50, 2_000_000_000))
                #expect(neighbour.ended == nil)
                try await neighbour.end()
            }
        }

        /// Kernel memory counts too: pipes, and segments that no process has mapped.
        @Test(
            .enabled(if: hasControllers(), "skipped: no v2 controllers here; run in user-mode Linux"),
            arguments: ["pipe", "shm"])
        @LoopActor
        func UMLKernelMemoryCounts(_ what: String) async throws {
            try await withNode { node in
                let sandbox = try await node.armed("bombs") { $0.limits.memory = 16 << 20 }
                let background = try Background.begin("bombs", [what, "0"], in: sandbox)
                try await eventually("the \(what) bomb is over", within: 60) {
                    if sandbox.ended != nil { return true }
                    return try background.text().contains(what + ".end ")
                }
                let peak = sandbox.sandbox.memoryCurrent() ?? 0
                #expect(peak <= 17 << 20, "\(peak) bytes charged")
                try await sandbox.end()
            }
        }

        @Test(.enabled(if: hasControllers(), "skipped: no v2 controllers here; run in user-mode Linux")) @LoopActor
        func UMLForksAreCounted() async throws {
            try await withNode { node in
                let sandbox = try await node.armed("bombs") { $0.limits.processes = 16 }
                let background = try Background.begin("bombs", ["fork", "0.5"], in: sandbox)
                let end = try await sandbox.exited(background.cookie, within: 60)
                #expect(end.exit == .status(0))
                #expect((Attack.parse(try background.text())["fork"].flatMap { Int($0) } ?? .max) < 16)
                #expect(try await sandbox.end().refusedForks > 0)
            }
        }
    }
}
