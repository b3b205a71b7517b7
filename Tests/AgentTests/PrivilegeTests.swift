import AgentTestSupport
import Foundation
import Glibc
import HearthClient
import Linux
import Testing
import Wire

extension AgentTests {
    /// hearthd that has become a user without privilege: it has nothing left, and everything works.
    @Suite @TestThread
    struct PrivilegeTests {
        /// A user and a group that no entry of the user database has.
        nonisolated private static let uid: UInt32 = 61_234
        nonisolated private static let gid: UInt32 = 61_235
        nonisolated private static let configuration = """
            user: "\(uid):\(gid)"
            freeze_after: 100ms
            init_timeout: 5s

            """

        /// Starts an agent in a directory of the user's, and ends it; whatever it leaves is recorded.
        private func withAgent(
            _ configuration: String = Self.configuration, scratch given: ScratchDirectory? = nil,
            _ body: (TestAgent) throws -> Void
        ) throws {
            let scratch = try given ?? ScratchDirectory()
            guard chown(scratch.path, Self.uid, Self.gid) == 0 else { throw Errno.current }
            let agent = try TestAgent(configuration: configuration, scratch: scratch)
            let result = Result { try body(agent) }
            // The groups' own directory lies in root's: it stays, and must be empty.
            let problems = agent.stop().filter { !$0.hasPrefix("the group ") || !$0.hasSuffix("with the processes []") }
            #expect(problems.isEmpty, "\(problems)")
            try Cgroup.removeTree(agent.cgroup)
            try result.get()
        }

        private func field(_ name: String, of status: String) -> String? {
            status.split(separator: "\n").first { $0.hasPrefix(name + ":") }?
                .dropFirst(name.count + 1).trimmingCharacters(in: .whitespaces)
        }

        private func expectNoPrivilege(_ pid: Int32) throws {
            let threads = try Files.list("/proc/\(pid)/task")
            #expect(threads.count >= 2)
            for thread in threads {
                let status = try Files.readText("/proc/\(pid)/task/\(thread)/status")
                let four = { (id: UInt32) in [String](repeating: "\(id)", count: 4).joined(separator: "\t") }
                #expect(field("Uid", of: status) == four(Self.uid), "thread \(thread)")
                #expect(field("Gid", of: status) == four(Self.gid), "thread \(thread)")
                #expect(field("Groups", of: status) == "", "thread \(thread)")
                for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
                    #expect(field(set, of: status) == "0000000000000000", "\(set) of thread \(thread)")
                }
                #expect(field("NoNewPrivs", of: status) == "1", "thread \(thread)")
            }
            // A process that is not dumpable has its files under /proc owned by root.
            #expect(try Files.owner("/proc/\(pid)/fd") == 0)
        }

        @Test func everythingWorksWithoutPrivilege() throws {
            try withAgent { agent in
                let client = try agent.client()
                try client.put("kit", .python, files: PythonKit.files) { $0.timeoutNs = 1_000_000_000 }
                try client.put("shell", .command) { $0.argv = ["/bin/sh", "-c", "id -u; cat /etc/passwd | wc -l"] }

                #expect(try client.invoke("shell").text.hasPrefix("1000\n"))
                let first = try client.invoke("kit", "{\"do\":\"count\"}")
                #expect(first.text == "1", "\(first.summary)")
                let warm = try client.invoke("kit", "{\"do\":\"count\"}")
                #expect(warm.text == "2" && warm.startKind == .warm, "\(warm.summary)")

                // Frozen, thawed by the next request.
                let sandbox = try #require(try client.listSandboxes(function: "kit").first)
                let group = try agent.group(of: sandbox.id)
                try eventually("the sandbox is frozen") {
                    try Files.readText(group + "/cgroup.events").contains("frozen 1")
                }
                #expect(try client.invoke("kit", "{\"do\":\"count\"}").text == "3")

                // Ended by force.
                let late = try client.invoke("kit", "{\"do\":\"spin\"}")
                #expect(late.outcome == .timeout, "\(late.summary)")
                try eventually("its sandbox is gone") { !Files.exists(group) }

                // An image, uploaded, with a program in it: the nursery mounts what is the user's.
                let tree = try ScratchDirectory()
                try Files.makeDirectories(tree.path + "/bin")
                for (from, to) in [("hearth-stamp", "stamp")] {
                    let bytes = try Files.read(try BuildProducts.executable(from), limit: 64 << 20)
                    try Files.write(bytes, to: tree.path + "/bin/" + to, mode: 0o755)
                }
                var image = HearthImportImageRequest()
                image.name = "own"
                image.format = .directory
                image.path = tree.path
                let refused = try refusal { try client.importImage(image) }
                #expect(refused.code == .permissionDenied && refused.remedy.contains("\(Self.uid)"), "\(refused)")
                guard chmod(tree.path, 0o755) == 0 else { throw Errno.current }
                _ = try client.importImage(image)
                try client.put("stamp", .command) {
                    $0.image = "own"
                    $0.argv = ["/bin/stamp"]
                }
                let stamp = try client.invoke("stamp")
                #expect(stamp.outcome == .ok && stamp.text.count > 3, "\(stamp.summary)")

                // What it may do less than root's says so.
                let doctor = try client.doctor()
                let weight = doctor.first { $0.id == "cpu.background" }
                let hasController = doctor.contains { $0.id == "cgroup.cpu" && $0.status == .ok }
                #expect(weight?.status == (hasController ? .ok : .missing), "\(weight as Any)")
                #expect(doctor.first { $0.id == "pressure" }?.status == .ok, "\(doctor)")

                let program = try Command.run(
                    [
                        try BuildProducts.executable("hearth"), "run", "--memory", "64M", "--cpus", "0.5", "--timeout",
                        "5s", "--", "/bin/sh", "-c", "echo run; exit 7",
                    ], environment: ["HEARTH_SOCKET": agent.socket])
                #expect(program.text == "run\n" && program.status == 7, "\(program.errors)")
                try expectNoPrivilege(agent.pid)

                for name in ["kit", "shell", "stamp"] { _ = try client.deleteFunction(name) }
                try eventually("every sandbox is gone") { try client.listSandboxes().isEmpty }
                try eventually("every process is gone") { try agent.populatedGroups().isEmpty }
            }
        }

        /// What root's hearthd left becomes the user's, and what the user's left is found by the next one.
        @Test func stateGoesFromRootToTheUser() throws {
            let scratch = try ScratchDirectory()
            let root = try TestAgent(scratch: scratch)
            try root.client().put("kit", .python, files: PythonKit.files)
            #expect(try root.client().invoke("kit", "{\"do\":\"count\"}").text == "1")
            #expect(root.stop().isEmpty)
            for _ in 0..<2 {
                try withAgent(scratch: scratch) { agent in
                    let answer = try agent.client().invoke("kit", "{\"do\":\"count\"}")
                    #expect(answer.text == "1", "\(answer.summary)")
                    for name in ["", "/images", "/code", "/hearth.db"] {
                        #expect(try Files.owner(agent.state + name) == Self.uid, "\(name)")
                    }
                    // The nursery serves this user's hearthd and root's, nobody else's.
                    let nursery = try Files.readText("/proc/\(agent.nursery)/status")
                    #expect(field("Uid", of: nursery)?.hasPrefix("0\t") == true)
                }
            }
        }

        /// Killed without a word, a hearthd without privilege finds its sandboxes again, and its files are its own to write.
        @Test func aKilledOneGoesOn() throws {
            let scratch = try ScratchDirectory()
            guard chown(scratch.path, Self.uid, Self.gid) == 0 else { throw Errno.current }
            let first = try TestAgent(configuration: Self.configuration, scratch: scratch)
            let client = try first.client()
            try client.put("kit", .python, files: PythonKit.files)
            let answer = try client.invoke("kit", "{\"do\":\"count\"}")
            #expect(answer.text == "1", "\(answer.summary)")
            for name in ["restart", "journal.spool"] {
                #expect(try Files.owner(first.state + "/" + name) == Self.uid, "\(name)")
            }
            // The answer comes first, what is noted of it after that.
            try eventually("the invocation is noted") { try client.stats().outcomes.contains { $0.outcome == .ok } }
            try first.killAgent()
            try withAgent(scratch: scratch) { agent in
                let next = try agent.client().invoke("kit", "{\"do\":\"count\"}")
                #expect(next.text == "2" && next.startKind == .warm, "\(next.summary)")
                #expect(next.sandboxID == answer.sandboxID)
                // The invocation before the kill is in the journal, from the spool.
                let entries = try agent.client().pullJournal(HearthPullJournalRequest()).entries
                #expect(entries.count { $0.fields["invocation"] == answer.invocationID } == 1, "\(entries)")
            }
        }

        @Test func aUserThatIsNoneIsRefused() throws {
            for (user, words) in [("no-such-user", "there is none of that name"), ("1:2:3", "EINVAL")] {
                let scratch = try ScratchDirectory()
                let output = try Command.run([
                    try BuildProducts.executable("hearthd"), "--user", user, "--socket", scratch.path + "/a.sock",
                    "--state", scratch.path + "/state", "--share", try BuildProducts.repository("rootfs-tools"),
                    "--nursery", try BuildProducts.executable("hearth-nursery"),
                ])
                #expect(output.status == 1)
                #expect(
                    output.errors.contains("the user '\(user)'") && output.errors.contains(words), "\(output.errors)")
                #expect(!Files.exists(scratch.path + "/state"))
            }
        }
    }
}
