import Glibc
import Linux
import NurseryABI
import SandboxTestSupport
import Testing

@testable import Sandbox

extension EscapeTests {
    /// What stays behind: nothing of a sandbox that has ended, nothing for the one that comes next.
    @Suite(.serialized, .timeLimit(.minutes(3))) struct Leavers {
        /// Where nothing collects them, double-forked processes live on.
        @Test func outsideTheyOutliveTheirParent() throws {
            let script = "\"$0\" leave > /dev/null & sleep 0.5; kill -9 $!; sleep 0.2; pgrep -c hearth-leaver"
            let output = try Host.isolated(script, [try Attack.program("leavers")])
            #expect(output.text == "6\n", "\(output.text)")
        }

        @Test(arguments: [false, true]) @LoopActor
        func detachedAndStoppedProcessesEndWithTheSandbox(_ frozen: Bool) async throws {
            try await withNode { node in
                let sandbox = try await node.armed("leavers")
                _ = try await Background.start("leavers", ["leave"], in: sandbox)
                let numbers = try sandbox.sandbox.cgroup.read("cgroup.procs").split(separator: "\n")
                    .compactMap { Int32($0) }
                // PID 1, the leaver, and six that left it.
                #expect(numbers.count == 8, "\(numbers)")
                let path = sandbox.sandbox.cgroup.path
                if frozen { try sandbox.sandbox.freeze() }
                try await sandbox.end()
                try await eventually("\(path) goes") { !Files.exists(path) }
                for number in numbers {
                    // Reaped by the kernel when their PID namespace ended: not even a zombie is left of them.
                    let status = try? Files.readText("/proc/\(number)/status")
                    #expect(status?.contains("hearth-leaver") != true, "\(number) lives")
                }
            }
        }

        private static let traces = [
            "files", "segments", "environment", "descriptors", "processes", "limits", "priority", "umask",
        ]

        /// Without anything in between, the next one finds all of it.
        @Test func outsideTheNextOneFindsTraces() throws {
            let script = "mount -t tmpfs none /dev/shm; mount -t tmpfs none /run; export TRACE=1; exec 7</; \"$0\" both"
            let output = try Host.isolated(
                script + "; s=$?; rm -rf /tmp/trace /tmp/.hidden /tmp/.dir /var/tmp/trace /trace; exit $s",
                [try Attack.program("leavers")])
            let outcomes = Attack.parse(output.text)
            for name in Self.traces { #expect(outcomes[name] == "ok", "\(name): \(output.text)") }
        }

        /// The slot, its ids and its names are used again by a stranger.
        @Test func theNextSandboxInTheSameSlotIsClean() throws {
            let nursery = try RawNursery()
            do {
                let image = try nursery.prepareHost()
                for name in ["leavers"] {
                    let place = nursery.directory + "/code/" + name
                    try Files.makeDirectories(place)
                    let program = try Files.open(try Attack.program(name), flags: O_RDONLY)
                    try Files.write(try Files.readAll(program, limit: 64 << 20), to: place + "/" + name)
                    #expect(chmod(place + "/" + name, 0o755) == 0)
                }
                func use(_ argument: String, _ variable: String) throws -> String {
                    let sandbox = try nursery.create(slot: 42, image: image)
                    var tree = NurseryClient.request(HN_TREE)
                    try FixedText.store("leavers", in: &tree.name, what: "code")
                    let (reply, mounts) = try nursery.ask(tree)
                    #expect(reply.error == 0)
                    let text = try sandbox.run(
                        ["/var/task/leavers", argument], environment: [variable], code: try #require(mounts.first))
                    try nursery.kill(sandbox)
                    return text
                }
                #expect(try use("soil", "TRACE=1").contains("ready"))
                for _ in 0..<3 {
                    let outcomes = Attack.parse(try use("look", "CLEAN=1"))
                    for name in Self.traces { #expect(outcomes[name] == "none", "\(name): \(outcomes)") }
                }
            } catch {
                try? nursery.stop()
                throw error
            }
            try nursery.stop()
        }
    }
}

extension RawSandbox {
    /// Binds code and runs a program to its end; returns what it wrote.
    func run(
        _ argv: [String], environment: [String], code: SharedFD, filtered: Bool = true
    ) throws -> String {
        var bind = hp_message()
        bind.magic = UInt32(HN_MAGIC)
        bind.version = UInt16(HN_VERSION)
        bind.op = UInt16(HP_BIND.rawValue)
        bind.cookie = 1
        try FixedText.store("/var/task", in: &bind.target, what: "target")
        try send(withUnsafeBytes(of: bind) { Array($0) }, [code.rawValue])
        let output = try MemoryFile.empty(name: "raw")
        let null = try Files.open("/dev/null", flags: O_RDWR)
        var request = SpawnRequest(argv: argv, environment: environment, directory: "/tmp")
        if filtered { request.filter = try SeccompProgram(compiling: try TestFiles.defaultProfile()).compacted() }
        var bytes = try request.encoded(descriptors: 3)
        withUnsafeBytes(of: UInt32(77)) { bytes.replaceSubrange(8..<12, with: $0) }
        try send(bytes, [null.rawValue, output.rawValue, output.rawValue])
        while let message = try next(within: 20_000) {
            if message.op == HP_FAILED.rawValue {
                throw TestFailure("\(Errno(rawValue: message.error)) at \(SandboxStage(rawValue: message.stage))")
            }
            guard message.op == HP_EXITED.rawValue, message.cookie == 77 else { continue }
            _ = lseek(output.rawValue, 0, SEEK_SET)
            return String(decoding: try Files.readAll(output, limit: 1 << 20), as: UTF8.self)
        }
        throw TestFailure("\(argv) did not end")
    }
}
