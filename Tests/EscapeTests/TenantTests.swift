import Glibc
import Linux
import NurseryABI
import SandboxTestSupport
import Testing

@testable import Sandbox

extension EscapeTests {
    /// Two tenants on one node, at the same time.
    @Suite(.serialized, .timeLimit(.minutes(3))) struct TwoTenants {
        static let expected = [
            Expectation("abstract", "ECONNREFUSED"), Expectation("loopback", "ECONNREFUSED"),
            Expectation("port.bind", "ok", outside: "EADDRINUSE"), Expectation("shm.sysv", "ENOENT"),
            Expectation("sem.sysv", "ENOENT"), Expectation("msg.sysv", "ENOSYS"), Expectation("shm.posix", "ENOENT"),
            Expectation("mq.posix", "ENOSYS"), Expectation("file", "ENOENT"), Expectation("key", "EPERM"),
            Expectation("signal", "ESRCH"), Expectation("ptrace", "EPERM"),
            Expectation("lease", "EINVAL"), Expectation("notify", "EINVAL"),
            // Nobody may write to what all tenants read, so nobody can lock it against the others.
            Expectation("lock", "EBADF"), Expectation("processes", "none"), Expectation("environment", "none"),
        ]

        /// Both on the node itself, in one set of namespaces: everything is found.
        @Test func withoutASandboxTheyFindEachOther() throws {
            let program = try Attack.program("tenant")
            let script = """
                HEARTH_SECRET=hearth-escape-secret "$0" victim > /dev/shm/escape-ready.$$ & sleep 0.2
                for i in 1 2 3 4 5 6 7 8 9 10; do grep -q ready /dev/shm/escape-ready.$$ && break; sleep 0.2; done
                "$0" attacker $(cut -d' ' -f2 /dev/shm/escape-ready.$$)
                """
            // /dev/shm is the control's own; what lies in /tmp goes with its names.
            let output = try Host.isolated(
                "mount -t tmpfs none /dev/shm; " + script + "\nrm -f /tmp/hearth-escape-secret", [program])
            Self.expected.check(control: Attack.parse(output.text))
        }

        @Test @LoopActor func nothingOfOneIsFoundByTheOther() async throws {
            try await withNode { node in
                let victim = try await node.armed("tenant")
                let background = try await Background.start(
                    "tenant", ["victim"], in: victim, environment: ["HEARTH_SECRET=hearth-escape-secret"])
                let inside = try await victim.pid()
                // The victim's own number on the node, which the attacker has somehow learnt.
                let number = try #require(
                    try victim.sandbox.cgroup.read("cgroup.procs").split(separator: "\n").compactMap { Int32($0) }
                        .first { $0 != inside })
                for uid: UInt32 in [1000, 0] {
                    let attacker = try await node.armed("tenant")
                    let outcomes = try await attacker.attack("tenant", ["attacker", "\(number)"], uid: uid)
                    Self.expected.check(inside: outcomes, "uid \(uid)")
                    try await attacker.end()
                }
                #expect(try background.text().contains("ready"))
                try await victim.end()
            }
        }

        /// The kernel counts processes by user: each sandbox has users of its own.
        @Test @LoopActor func oneDoesNotUseUpTheOthersProcesses() async throws {
            try await withNode { node in
                let first = try await node.armed("tenant")
                let crowd = try await Background.start("tenant", ["crowd", "200"], in: first)
                let had = try #require(Attack.parse(try crowd.text())["crowd"].flatMap { Int($0) })
                #expect(had < 64, "its own limit, which counts threads and itself")
                // The control: in the same sandbox nothing is left to be had.
                let same = try await Background.start("tenant", ["crowd", "20"], in: first)
                #expect(Attack.parse(try same.text())["crowd"] == "0")
                let second = try await node.armed("tenant")
                let other = try await Background.start("tenant", ["crowd", "40"], in: second)
                #expect(Attack.parse(try other.text())["crowd"] == "40")
                try await first.end()
                try await second.end()
            }
        }

        /// A session keyring of their own: what the session that started the nursery holds is nobody's. With no filter, which would
        /// not even let them look.
        @Test func keysOfTheNodeAreNotInherited() throws {
            let program = try Attack.program("keys")
            let outside = Attack.parse(try Host.run([program, "control"]).text)
            #expect(outside["search"] == "ok", "\(outside)")

            try Files.write(Array(try TestFiles.nursery().utf8), to: program + ".target")
            let nursery = try RawNursery(executable: program)
            do {
                let image = try nursery.prepareHost()
                let place = nursery.directory + "/code/keys"
                try Files.makeDirectories(place)
                try Files.write(
                    try Files.readAll(try Files.open(program, flags: O_RDONLY), limit: 64 << 20), to: place + "/keys")
                #expect(chmod(place + "/keys", 0o755) == 0)
                let sandbox = try nursery.create(slot: 7, image: image)
                var tree = NurseryClient.request(HN_TREE)
                try FixedText.store("keys", in: &tree.name, what: "code")
                let (reply, mounts) = try nursery.ask(tree)
                #expect(reply.error == 0)
                let inside = Attack.parse(
                    try sandbox.run(
                        ["/var/task/keys", "look"], environment: [], code: try #require(mounts.first),
                        filtered: false))
                #expect(inside["search"] == "ENOKEY", "\(inside)")
                // A keyring by that name may be made, but it is not the node's.
                #expect(inside["search.joined"] == "ENOKEY", "\(inside)")
                try nursery.kill(sandbox)
            } catch {
                try? nursery.stop()
                throw error
            }
            try nursery.stop()
        }

        /// Nor do the files that list keys say anything.
        @Test @LoopActor func keysAreNotListed() async throws {
            try await withNode { node in
                let sandbox = try node.create()
                try await sandbox.ready()
                let keys = try await sandbox.run(["/bin/sh", "-c", "cat /proc/keys /proc/key-users | wc -c"])
                #expect(keys.text == "0\n")
                try await sandbox.end()
            }
        }
    }
}
