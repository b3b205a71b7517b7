import Glibc
import Linux
import SandboxTestSupport
import Testing

@testable import Sandbox

extension SandboxTests {
    @Suite(.serialized) struct LifeCycle {
        @Test @LoopActor func runsAProgramAndEnds() async throws {
            try await withNode { node in
                let sandbox = try node.create()
                let output = try await sandbox.run(["/bin/sh", "-c", "cat; echo err >&2; exit 5"], input: "in")
                #expect(output.exit == .status(5) && output.text == "in" && output.errors == "err\n")
                let end = try await sandbox.end()
                #expect(end.failure == nil)
                #expect(sandbox.sandbox.state == .ended)
                #expect(node.factory.count == 0)
                #expect(throws: SandboxError.self) { try sandbox.sandbox.signal(SIGTERM) }
            }
        }

        /// What is asked before the sandbox exists waits in PID 1's socket.
        @Test @LoopActor func requestsMayComeBeforeItIsReady() async throws {
            try await withNode { node in
                let sandbox = try node.create()
                #expect(sandbox.sandbox.state == .creating)
                let cookie = try sandbox.spawn(["true"])
                #expect(try await sandbox.exited(cookie).exit == .status(0))
                // PID 1 does what waits before it says that it is ready; its time is that of the readiness.
                var readyAt: Int64?
                var startedAt: Int64?
                for event in sandbox.events {
                    if case .ready(let time) = event { readyAt = time }
                    if case .started(_, _, let time) = event { startedAt = time }
                }
                guard let readyAt, let startedAt, readyAt < startedAt else { throw TestFailure("\(sandbox.events)") }
                try await sandbox.end()
            }
        }

        @Test @LoopActor func bindsCodeLate() async throws {
            try await withNode { node in
                try Files.makeDirectories(node.directory + "/code/fn-1.2_x")
                try Files.write(Array("content".utf8), to: node.directory + "/code/fn-1.2_x/file")
                let sandbox = try node.create()
                try await sandbox.ready()
                #expect(try await sandbox.run(["/bin/ls", "/var/task"]).text == "")
                let cookie = try sandbox.sandbox.bind(try await node.code("fn-1.2_x"), at: "/var/task")
                try await sandbox.event("bound") { if case .bound(cookie, _) = $0 { true } else { false } }
                let output = try await sandbox.run(
                    ["/bin/sh", "-c", "cat /var/task/file; touch /var/task/new; grep /var/task /proc/mounts"])
                #expect(output.text.hasPrefix("content"))
                #expect(output.errors.contains("Read-only file system"))
                #expect(output.text.contains("ro,nosuid,nodev"))
                // Nothing of it is seen by another sandbox, or by the node.
                #expect(try await node.run(["/bin/ls", "/var/task"]).text == "")
                #expect(!(try MountTable.current().entries.contains { $0.mountPoint.hasSuffix("/var/task") }))
                try await sandbox.end()
            }
        }

        @Test(arguments: ["/nowhere", "var/task", "/", "/var/../var/task", "/bin", "/etc/passwd"]) @LoopActor
        func bindRefusesOtherTargets(_ target: String) async throws {
            try await withNode { node in
                try Files.makeDirectories(node.directory + "/code/c")
                let sandbox = try node.create()
                let cookie = try sandbox.sandbox.bind(try await node.code("c"), at: target)
                let event = try await sandbox.event("refusal") {
                    switch $0 {
                    case .failed(cookie, _), .bound(cookie, _): true
                    default: false
                    }
                }
                if target == "/var/../var/task" {
                    // Beneath the root all the same: RESOLVE_BENEATH lets `..` stay inside.
                    guard case .bound = event else { throw TestFailure("\(event)") }
                    #expect(try await sandbox.run(["/bin/true"]).exit == .status(0))
                } else {
                    guard case .failed(_, .failed(_, let stage)) = event else { throw TestFailure("\(event)") }
                    #expect(stage.description == "resolving a mount's target")
                }
                try await sandbox.end()
            }
        }

        @Test @LoopActor func signalsReachOneOrAll() async throws {
            try await withNode { node in
                let sandbox = try node.create()
                let first = try sandbox.spawn(["/bin/sleep", "100"])
                let second = try sandbox.spawn(["/bin/sleep", "100"])
                let pid = try await sandbox.started(first)
                _ = try await sandbox.started(second)
                try sandbox.sandbox.signal(SIGTERM, process: pid)
                #expect(try await sandbox.exited(first).exit == .signal(SIGTERM))
                #expect(!sandbox.events.contains { if case .exited(second, _) = $0 { true } else { false } })
                // A pid that PID 1 did not start, its own above all, is refused.
                try sandbox.sandbox.signal(SIGKILL, process: 1)
                try await sandbox.event("refusal") { if case .failed = $0 { true } else { false } }
                try sandbox.sandbox.signal(SIGUSR1)
                #expect(try await sandbox.exited(second).exit == .signal(SIGUSR1))
                #expect(try await sandbox.run(["/bin/true"]).exit == .status(0))
                try await sandbox.end()
            }
        }

        @Test @LoopActor func freezesAndThaws() async throws {
            try await withNode { node in
                let sandbox = try node.create()
                let pipe = try DescriptorPair.pipe(nonblockingReader: true)
                let null = try Files.open("/dev/null", flags: O_RDWR)
                let cookie = try sandbox.spawn(
                    ["/bin/sh", "-c", "while :; do echo x; sleep 0.002; done"],
                    descriptors: [null.rawValue, pipe.second.rawValue, null.rawValue])
                _ = try await sandbox.started(cookie)
                let reader = pipe.first.rawValue
                func drain() -> Int {
                    var buffer = [UInt8](repeating: 0, count: 65536)
                    return read(reader, &buffer, 65536)
                }
                try await eventually("it writes") { drain() > 0 }
                try sandbox.sandbox.freeze()
                #expect(sandbox.sandbox.isFrozen)
                try await eventually("frozen 1") {
                    try sandbox.sandbox.cgroup.keyedValues("cgroup.events")["frozen"] == 1
                }
                _ = drain()
                try await Task.sleep(for: .milliseconds(60))
                #expect(drain() == -1, "a frozen program wrote")
                try sandbox.sandbox.thaw()
                try await eventually("it writes again") { drain() > 0 }
                try await sandbox.end()
            }
        }

        @Test @LoopActor func killsWhileFrozen() async throws {
            try await withNode { node in
                let sandbox = try node.create()
                let cookie = try sandbox.spawn(["/bin/sleep", "100"])
                _ = try await sandbox.started(cookie)
                try sandbox.sandbox.freeze()
                try await sandbox.end()
            }
        }

        @Test(.timeLimit(.minutes(1))) @LoopActor func killsBeforeItIsReady() async throws {
            try await withNode { node in
                // A child that dies at birth must not hold the nursery up.
                let start = monotonicNow()
                for _ in 0..<20 {
                    let sandbox = try node.create()
                    try await sandbox.end()
                }
                #expect(monotonicNow() - start < 20_000_000_000)
                #expect(try await node.run(["/bin/true"]).exit == .status(0))
            }
        }

        /// A start may be asked for before the mount that it needs is there; without the mount nothing starts.
        @Test @LoopActor func nothingStartsAfterABindThatFailed() async throws {
            try await withNode { node in
                try Files.makeDirectories(node.directory + "/code/c")
                let code = try await node.code("c")
                let sandbox = try node.create()
                try await sandbox.ready()
                let bind = try sandbox.sandbox.bind(code, at: "/nowhere")
                let null = try Files.open("/dev/null", flags: O_RDWR)
                let descriptors = [null.rawValue, null.rawValue, null.rawValue]
                let spawn = try sandbox.sandbox.spawn(
                    SpawnRequest(argv: ["/bin/true"], environment: [], directory: "/"), descriptors: descriptors)
                for (cookie, isSealed) in [(bind, false), (spawn, true)] {
                    let event = try await sandbox.event("a refusal of \(cookie)") {
                        if case .failed(cookie, _) = $0 { true } else { false }
                    }
                    guard case .failed(_, let error) = event else { throw TestFailure("\(event)") }
                    #expect(error.isSealed == isSealed, "\(error)")
                }
                #expect(
                    !sandbox.events.contains {
                        if case .started = $0 { true } else { false }
                    })
                try await sandbox.end()
            }
        }

        @Test @LoopActor func doubleForkedAndDetachedChildrenDie() async throws {
            try await withNode { node in
                let sandbox = try node.create()
                let script =
                    "setsid sh -c 'trap \"\" HUP TERM INT; (sleep 1000 & sleep 1000) & sleep 1000' & (setsid nohup sleep 1000 &) ; exit 0"
                let output = try await sandbox.run(["/bin/sh", "-c", script])
                #expect(output.exit == .status(0))
                // PID 1, the shell of its own session and at least three sleepers.
                var pids: [Int32] = []
                try await eventually("they have gone their ways") {
                    let text = try sandbox.sandbox.cgroup.read("cgroup.procs")
                    pids = text.split(separator: "\n").compactMap { Int32($0) }
                    return pids.count >= 5
                }
                let handles = try pids.map { SharedFD(try Linux.Process(opening: $0).pidfd.duplicate()) }
                try await sandbox.end()
                for handle in handles {
                    var entry = pollfd(fd: handle.rawValue, events: Int16(POLLIN), revents: 0)
                    #expect(poll(&entry, 1, 0) == 1, "a process outlived its sandbox")
                }
            }
        }

        @Test @LoopActor func reportsWhatAProgramUsed() async throws {
            try await withNode { node in
                let burn = "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done"
                let output = try await node.run(["/bin/sh", "-c", burn])
                #expect(output.end.userMicroseconds > 10_000)
                #expect(output.end.maxResidentKiB > 500)
                #expect(output.end.at > 0 && output.end.at <= monotonicNow())
                let killed = try await node.run(["/bin/sh", "-c", "kill -SEGV $$"])
                #expect(killed.exit == .signal(SIGSEGV))
            }
        }

        @Test @LoopActor func sealsForGood() async throws {
            try await withNode { node in
                let text = try Files.readText(try TestFiles.repository("rootfs-tools/seccomp/init.profile"))
                let filter = try SeccompProgram(compiling: try SeccompProfile(parsing: text, name: "init.profile"))
                let sandbox = try node.create()
                let sleeper = try sandbox.spawn(["/bin/sleep", "4"])
                let pid = try await sandbox.started(sleeper)
                let cookie = try sandbox.sandbox.seal(spawning: false, filter: filter)
                try await sandbox.event("sealed") { if case .sealed(cookie) = $0 { true } else { false } }
                let status = try await sandbox.proc("status")
                for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
                    #expect(status.contains("\(set):\t0000000000000000"), "\(status)")
                }
                #expect(status.contains("Seccomp:\t2") && status.contains("NoNewPrivs:\t1"))
                // No program and no code any more.
                let error = await #expect(throws: SandboxError.self) { _ = try await sandbox.run(["/bin/true"]) }
                #expect("\(try #require(error))".contains("asking a sealed sandbox"))
                try Files.makeDirectories(node.directory + "/code/c")
                let bind = try sandbox.sandbox.bind(try await node.code("c"), at: "/var/task")
                try await sandbox.event("refusal") { if case .failed(bind, _) = $0 { true } else { false } }
                // Without a capability it can signal nobody of another uid; cgroup.kill is what ends a sealed sandbox.
                try sandbox.sandbox.signal(SIGTERM, process: pid)
                try await sandbox.event("refusal") {
                    if case .failed(_, .failed(.notPermitted, .request)) = $0 { true } else { false }
                }
                // It still reaps and reports, after a freeze as well.
                try sandbox.sandbox.freeze()
                try await Task.sleep(for: .milliseconds(20))
                try sandbox.sandbox.thaw()
                let end = try await sandbox.exited(sleeper)
                #expect(end.exit == .status(0))
                try await sandbox.end()
            }
        }

        /// Sealed with the default profile, PID 1 goes on starting programs, and they are under the same filter.
        @Test @LoopActor func sealsAndGoesOnSpawning() async throws {
            try await withNode { node in
                let filter = try SeccompProgram(compiling: try TestFiles.defaultProfile())
                let sandbox = try node.create()
                let cookie = try sandbox.sandbox.seal(spawning: true, filter: filter)
                try await sandbox.event("sealed") { if case .sealed(cookie) = $0 { true } else { false } }
                let status = try await sandbox.proc("status")
                #expect(status.contains("CapPrm:\t00000000000000e0"), "CAP_KILL, CAP_SETGID, CAP_SETUID: \(status)")
                let output = try await sandbox.run(
                    ["/bin/sh", "-c", "grep -E '^(Seccomp|Uid|CapPrm)' /proc/self/status; unshare -U true"])
                #expect(output.lines.contains("Seccomp:\t2") && output.lines.contains("Seccomp_filters:\t1"))
                #expect(output.lines.contains("Uid:\t1000\t1000\t1000\t1000"), "\(output.text)")
                #expect(output.lines.contains("CapPrm:\t0000000000000000"))
                #expect(output.errors.contains("Operation not permitted"))
                try await sandbox.end()
            }
        }

        @Test @LoopActor func anImageThatDoesNotExistIsRefused() async throws {
            try await withNode { node in
                let error = await #expect(throws: SandboxError.self) { try await node.prepare("nothing", host: false) }
                #expect("\(try #require(error))".contains("opening the image failed: ENOENT"))
                let sandbox = try node.create { $0.image = 31 }
                let end = try await sandbox.waitForEnd()
                #expect("\(try #require(end.failure))".contains("checking the request"))
            }
        }

        @Test @LoopActor func aNurseryThatIsGoneIsSaid() async throws {
            try await withNode { node in
                let sandbox = try node.create()
                try await sandbox.ready()
                try node.killNursery()
                let end = try await sandbox.waitForEnd()
                #expect("\(try #require(end.failure))".contains("nursery has ended"))
                #expect(throws: SandboxError.self) { _ = try node.create() }
            }
        }
    }
}
