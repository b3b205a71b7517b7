import Glibc
import Linux
import SandboxTestSupport
import Testing

@testable import Sandbox

extension SandboxTests {
    /// What a program inside is and sees. Issue by issue the list grows in the golden files of EscapeTests; this is the ground.
    @Suite(.serialized) struct Posture {
        @LoopActor
        private func status(_ text: String) -> [String: String] {
            var fields: [String: String] = [:]
            for line in text.split(separator: "\n") {
                let parts = line.split(separator: ":", maxSplits: 1)
                if parts.count == 2 {
                    fields[String(parts[0])] = parts[1].split(whereSeparator: \.isWhitespace).joined(separator: " ")
                }
            }
            return fields
        }

        @Test @LoopActor func credentialsAndFilters() async throws {
            try await withNode { node in
                let filter = try SeccompProgram(compiling: try TestFiles.defaultProfile())
                let sandbox = try node.create()
                let cookie = try sandbox.spawn(["/bin/sleep", "1000"]) { $0.filter = filter }
                _ = try await sandbox.started(cookie)
                try await eventually("exec") {
                    try sandbox.sandbox.cgroup.read("cgroup.procs").split(separator: "\n").count == 2
                }
                let init1 = try await sandbox.pid()
                // Read from the host's side: what the kernel enforces, not what the inside is shown.
                let pid = try #require(
                    try sandbox.sandbox.cgroup.read("cgroup.procs").split(separator: "\n").compactMap { Int32($0) }
                        .first { $0 != init1 })
                let fields = status(try Files.readText("/proc/\(pid)/status"))
                let first = SlotAllocator.firstID(of: sandbox.sandbox.slot)
                let user = "\(first + 1000)"
                #expect(fields["Uid"] == [user, user, user, user].joined(separator: " "))
                #expect(fields["Gid"] == [user, user, user, user].joined(separator: " "))
                #expect(fields["Groups"] == "")
                for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
                    #expect(fields[set] == "0000000000000000", "\(set)")
                }
                #expect(fields["NoNewPrivs"] == "1")
                #expect(fields["Seccomp"] == "2")
                #expect(fields["Seccomp_filters"] == "1")
                #expect(fields["SigBlk"] == "0000000000000000")
                #expect(fields["SigIgn"] == "0000000000000000")
                #expect(fields["SigCgt"] == "0000000000000000")
                #expect(fields["TracerPid"] == "0")
                #expect(fields["NSpid"] == "\(pid) 2")
                for map in ["uid_map", "gid_map"] {
                    let words = try Files.readText("/proc/\(pid)/\(map)").split(whereSeparator: \.isWhitespace)
                    #expect(words.map(String.init) == ["0", "\(first)", "65536"])
                }
                #expect(first >= 0x7000_0000)
                let own = status(try await sandbox.proc("status"))
                #expect(own["Uid"] == "\(first) \(first) \(first) \(first)" && own["Groups"] == "")
                #expect(own["NoNewPrivs"] == "1" && own["CapBnd"] == "0000000000000000")
                #expect(own["CapInh"] == "0000000000000000" && own["CapAmb"] == "0000000000000000")
                try await sandbox.end()
            }
        }

        @Test @LoopActor func namespacesAreNobodyElses() async throws {
            try await withNode { node in
                let one = try node.create()
                let two = try node.create()
                try await one.ready()
                try await two.ready()
                let (firstPid, secondPid) = (try await one.pid(), try await two.pid())
                for kind in ["user", "pid", "mnt", "net", "ipc", "uts", "cgroup"] {
                    let host = try TestFiles.link("/proc/self/ns/\(kind)")
                    let first = try TestFiles.link("/proc/\(firstPid)/ns/\(kind)")
                    let second = try TestFiles.link("/proc/\(secondPid)/ns/\(kind)")
                    let nursery = try TestFiles.link("/proc/\(node.nurseryPid)/ns/\(kind)")
                    #expect(Set([host, first, second]).count == 3, "\(kind)")
                    #expect(first != nursery || kind == "net", "\(kind)")
                }
                let inside = try await one.run(
                    ["/bin/sh", "-c", "for n in user pid mnt net ipc uts cgroup; do readlink /proc/self/ns/$n; done"])
                for (line, kind) in zip(inside.lines, ["user", "pid", "mnt", "net", "ipc", "uts", "cgroup"]) {
                    #expect(line == (try TestFiles.link("/proc/\(firstPid)/ns/\(kind)")))
                }
                #expect(inside.lines.count == 7)
                try await one.end()
                try await two.end()
            }
        }

        @Test @LoopActor func descriptorsAreZeroToTwo() async throws {
            try await withNode { node in
                // ls opens one of its own, as number 3, for the directory.
                let output = try await node.run(["/bin/ls", "/proc/self/fd"])
                #expect(output.lines == ["0", "1", "2", "3"])
                let direct = try await node.run([
                    "/bin/sh", "-c", "for i in 3 4 5 6 7 8 9; do eval \"true <&$i\" && echo $i; done",
                ])
                #expect(direct.text == "")
                // None at all, and the most there may be.
                let sandbox = try node.create()
                let none = try sandbox.spawn(
                    ["/bin/sh", "-c", "test ! -e /proc/self/fd/0 -a ! -e /proc/self/fd/2"], descriptors: [])
                #expect(try await sandbox.exited(none).exit == .status(0))
                let null = try Files.open("/dev/null", flags: O_RDWR)
                let eight = try sandbox.spawn(
                    ["/bin/sh", "-c", "test -e /proc/$$/fd/7 -a ! -e /proc/$$/fd/8"],
                    descriptors: [Int32](repeating: null.rawValue, count: 8))
                #expect(try await sandbox.exited(eight).exit == .status(0))
                #expect(throws: SandboxError.self) {
                    _ = try sandbox.spawn(["true"], descriptors: [Int32](repeating: null.rawValue, count: 9))
                }
                try await sandbox.end()
            }
        }

        /// Every mount with its kind and flags, in order. A change here is a change of what the inside can reach.
        @Test @LoopActor func mountsAreTheseAndNoOthers() async throws {
            try await withNode { node in
                let sandbox = try node.create { $0.terminals = true }
                let text = try await sandbox.run(["/bin/cat", "/proc/self/mountinfo"]).text
                let entries = MountTable(parsing: text).entries
                let golden: [(String, String?, Set<Substring>)] = [
                    ("/", nil, ["ro", "nosuid", "nodev"]),
                    ("/usr", nil, ["ro", "nosuid", "nodev"]),
                    ("/dev", "tmpfs", ["ro", "nosuid", "noexec"]),
                    ("/opt/hearth/runtimes", nil, ["ro", "nosuid", "nodev"]),
                    ("/proc", "proc", ["ro", "nosuid", "nodev", "noexec"]),
                    ("/tmp", "tmpfs", ["rw", "nosuid", "nodev"]),
                    ("/dev/shm", "tmpfs", ["rw", "nosuid", "nodev"]),
                    ("/dev/pts", "devpts", ["rw", "nosuid", "noexec"]),
                ]
                // Mounts below the node's own /usr come along, read-only as well.
                let own = entries.filter { !$0.mountPoint.hasPrefix("/usr/") && !$0.mountPoint.hasPrefix("/proc/") }
                #expect(own.map(\.mountPoint) == golden.map(\.0), "\(text)")
                for (entry, expected) in zip(own, golden) {
                    if let kind = expected.1 { #expect(entry.fileSystem == kind, "\(entry.mountPoint)") }
                    #expect(
                        expected.2.isSubset(of: Set(entry.options)), "\(entry.mountPoint): \(entry.options)")
                }
                for entry in entries where entry.mountPoint.hasPrefix("/usr/") {
                    #expect(entry.options.contains("ro") && entry.options.contains("nosuid"))
                }
                // No propagation in either direction.
                #expect(!text.contains("shared:") && !text.contains("master:"))
                try await sandbox.end()
            }
        }

        @Test @LoopActor func environmentDirectoryAndNameAreAsAsked() async throws {
            try await withNode { node in
                let sandbox = try node.create { $0.hostname = "fn-7.example" }
                let environment = try await sandbox.run(
                    ["/usr/bin/env"], { $0.environment = ["A=1", "B=two words", "PATH="] })
                #expect(environment.text == "A=1\nB=two words\nPATH=\n")
                let empty = try await sandbox.run(["/usr/bin/env"], { $0.environment = [] })
                #expect(empty.text == "")
                let inTask = try await sandbox.run(["/bin/pwd", "-P"], { $0.directory = "/var/task" })
                #expect(inTask.text == "/var/task\n")
                #expect(try await sandbox.run(["/bin/uname", "-n"]).text == "fn-7.example\n")
                #expect(
                    try await sandbox.run(["/usr/bin/id"]).text == "uid=1000(user) gid=1000(user) groups=1000(user)\n")
                let root = try await sandbox.run(
                    ["/usr/bin/id", "-u"],
                    {
                        $0.uid = 0; $0.gid = 0
                    })
                #expect(root.text == "0\n")
                try await sandbox.end()
            }
        }

        @Test @LoopActor func rootInsideHoldsNothing() async throws {
            try await withNode { node in
                let script = """
                    grep Cap /proc/self/status | cut -f2 | sort -u
                    mount -t tmpfs x /tmp; mount -o remount,rw /; hostname other; mknod /tmp/m c 1 3; chown 1 /tmp; kill -9 1
                    date -s 2000-01-01 >/dev/null; swapoff -a; echo 1 > /proc/sys/kernel/panic; chroot / true; unshare -n true
                    """
                let output = try await node.run(
                    ["/bin/sh", "-c", script],
                    {
                        $0.uid = 0; $0.gid = 0
                    })
                #expect(output.text == "0000000000000000\n", "\(output.text)")
                let refusals = output.errors.split(separator: "\n")
                for word in ["mount", "hostname", "mknod", "chown", "date", "panic", "chroot", "unshare"] {
                    #expect(refusals.contains { $0.contains(word) }, "\(word): \(output.errors)")
                }
            }
        }
    }
}
