import Glibc
import Linux
import SandboxTestSupport
import Testing

@testable import Sandbox

extension EscapeTests {
    /// The node's files, devices and programs, through every door that procfs and the kernel have.
    @Suite(.serialized, .timeLimit(.minutes(3))) struct FileSystem {
        private static let node: [Expectation] =
            // The owner of each is the node's root, whom nobody inside can be: that is asked before the mount is. Where the
            // sandbox's root is the owner, as of its own IPC namespace's limits, the read-only mount has the word.
            Expectation.all(["core_pattern", "panic", "shmmax", "usr", "etc"], "EACCES") + [
                // Not in every kernel; where they are, the mount answers first.
                Expectation("modprobe", "?", outside: nil), Expectation("hotplug", "?", outside: nil),
                Expectation("binfmt", "?", outside: nil), Expectation("sysrq", "?", outside: nil),
                Expectation("nesting", "EACCES", outside: nil),
                Expectation("uevent_helper", "ENOENT", outside: nil), Expectation("sysfs", "ENOENT"),
                Expectation("cgroupfs", "ENOENT"),
                Expectation("kcore", "?", outside: nil), Expectation("kmsg", "?", outside: nil),
                Expectation("timer_list", "?", outside: nil),
                Expectation("init.exe", "ENOENT", outside: nil), Expectation("init.environ", "ENOENT"),
                Expectation("init.cmdline", "ENOENT"), Expectation("init.root", "ENOENT"),
                Expectation("init.cwd", "ENOENT"), Expectation("init.fd", "ENOENT"),
                Expectation("self.mem", "EROFS"), Expectation("self.oom", "EROFS"),
                Expectation("self.uid_map", "EROFS"),
                Expectation("dev", "EROFS"),
            ]

        @Test @LoopActor func filesOfTheNodeAreOutOfReach() async throws {
            Self.node.check(control: try Attack.control("files", ["node"]))
            try await withNode { node in
                for uid: UInt32 in [1000, 0] {
                    let outcomes = try await node.attack("files", ["node"], uid: uid)
                    for expectation in Self.node {
                        let outcome = outcomes[expectation.name]
                        if expectation.inside == "?" {
                            #expect(
                                ["EROFS", "EACCES", "EPERM", "ENOENT"].contains(outcome),
                                "\(expectation.name): \(outcome ?? "nothing")")
                        } else {
                            let owned = uid == 0 && expectation.name == "shmmax"
                            #expect(
                                outcome == (owned ? "EROFS" : expectation.inside), "\(expectation.name) as uid \(uid)")
                        }
                    }
                }
            }
        }

        /// A mask is the null device itself, and what it hides has bytes outside.
        @Test @LoopActor func masksHideTheNode() async throws {
            let masked = ["keys", "key-users", "kallsyms", "interrupts"]
            let control = try Attack.control("files", ["masks"])
            try await withNode { node in
                let outcomes = try await node.attack("files", ["masks"])
                for name in masked where control["masked." + name] == "ok" {
                    #expect(outcomes["masked." + name] == "empty", "\(name)")
                }
                let kinds = try await node.run([
                    "/bin/sh", "-c", "stat -c '%n %F %t:%T' /proc/keys /proc/kallsyms; ls /proc/acpi | wc -l",
                ])
                for line in kinds.lines.dropLast() {
                    #expect(line.hasSuffix("character special file 1:3"), "\(line)")
                }
                #expect(kinds.lines.last == "0")
            }
            #expect(masked.contains { control["masked." + $0] == "ok" }, "the control saw nothing that is masked")
        }

        @Test @LoopActor func devicesAreNeitherMadeNorOpened() async throws {
            let expected = [
                Expectation("mknod.memory", "EPERM"), Expectation("mknod.disk", "EPERM"),
                Expectation("open.mem", "ENOENT", outside: nil), Expectation("open.kmsg", "ENOENT", outside: nil),
                Expectation("open.null", "ok"),
            ]
            expected.check(control: try Attack.control("files", ["devices"]))
            try await withNode { node in
                for uid: UInt32 in [1000, 0] {
                    expected.check(inside: try await node.attack("files", ["devices"], uid: uid), "uid \(uid)")
                    let unfiltered = try await node.attack("files", ["devices"], uid: uid, filtered: false)
                    // Without the filter Landlock answers, without Landlock the lack of a capability.
                    let answer = Probes.landlockABI() > 0 ? "EACCES" : "EPERM"
                    #expect(unfiltered["mknod.memory"] == answer && unfiltered["mknod.disk"] == answer)
                }
            }
        }

        /// A node's root in a sandbox's group: the program on the sandboxes' common group refuses a device that is really there.
        @Test @LoopActor func theDeviceProgramRefusesWhatIsThere() async throws {
            try await checkDevices()
        }

        /// The same on the whole of cgroup v2.
        @Test(.enabled(if: getenv("HEARTH_UML") != nil, "skipped: for user-mode Linux")) @LoopActor
        func UMLTheDeviceProgramRefusesWhatIsThere() async throws {
            try await checkDevices()
        }

        @LoopActor
        private func checkDevices() async throws {
            try await withNode { node in
                #expect(node.cgroups.deviceFilterError == nil)
                let group = node.cgroups.path + "/sandboxes/probe"
                try Files.makeDirectory(group)
                let script = """
                    mknod $2/m c 1 11 && mknod $2/z c 1 5 || exit 9
                    (head -c0 $2/m) 2>/dev/null && echo before ok
                    echo $$ > $1/cgroup.procs
                    (head -c0 $2/m) 2>/dev/null && echo kmsg ok || echo kmsg refused
                    head -c1 $2/z | wc -c
                    mknod $2/n c 1 11 2>/dev/null && echo mknod ok || echo mknod refused
                    echo $$ > $1/../../agent/cgroup.procs; rm -f $2/m $2/n $2/z
                    """
                // A file system of its own: the one of the temporary directory may refuse devices by itself (nodev).
                let mounted =
                    "mkdir $2/d && mount -t tmpfs -o dev none $2/d && set -- $1 $2/d || exit 8\n" + script
                    + "; umount $2"
                let output = try Host.run(["/bin/sh", "-c", mounted, "sh", group, node.directory])
                #expect(output.text == "before ok\nkmsg refused\n1\nmknod refused\n", "\(output.text)")
                try Cgroup.removeTree(group)
            }
        }

        @Test @LoopActor func noDescriptorOfTheNodeIsLeftOpen() async throws {
            // The control: a runtime that left one of the node's directories open.
            let leaky = try Attack.control("files", ["leaks"], prepare: "exec 7</")
            #expect(leaky["leaks"] == "ok")
            try await withNode { node in
                for uid: UInt32 in [1000, 0] {
                    let outcomes = try await node.attack("files", ["leaks"], uid: uid)
                    #expect(outcomes == ["leaks": "none", "cwd": "ok"])
                }
                // As the directory to start in: PID 1 looks at its own descriptors, and there is nothing that leads outside.
                let sandbox = try node.create()
                for number in 3...64 {
                    let cookie = try sandbox.spawn(["/bin/pwd"]) { $0.directory = "/proc/self/fd/\(number)" }
                    var refusal = "none"
                    do { _ = try await sandbox.exited(cookie) } catch { refusal = "\(error)" }
                    #expect(refusal.contains("entering the working directory"), "\(number): \(refusal)")
                }
                try await sandbox.end()
            }
        }

        @Test @LoopActor func programsOfTheNodeAreNotOverwritten() async throws {
            try await withNode { node in
                for uid: UInt32 in [1000, 0] {
                    let outcomes = try await node.attack("files", ["images"], uid: uid)
                    #expect(outcomes["images"] == "none")
                    #expect(outcomes["self.exe"] == "EACCES")
                }
                // An entry point that is the runtime itself (CVE-2019-5736): the interpreter is whoever executes.
                let code = node.directory + "/code/self"
                try Files.makeDirectories(code)
                try Files.write(Array("#!/proc/self/exe\n".utf8), to: code + "/main")
                #expect(chmod(code + "/main", 0o755) == 0)
                let sandbox = try node.create()
                try sandbox.sandbox.bind(try await node.code("self"), at: "/var/task")
                let before = try Host.run(["/usr/bin/sha256sum", node.configuration.executable]).text
                let cookie = try sandbox.spawn(["/var/task/main"])
                // PID 1 has no image inside: its file is in no mount of the sandbox, and its /proc entry is hidden.
                var refusal = "none"
                do { _ = try await sandbox.exited(cookie) } catch { refusal = "\(error)" }
                #expect(refusal.contains("executing the program"), "\(refusal)")
                try await sandbox.end()
                #expect(try Host.run(["/usr/bin/sha256sum", node.configuration.executable]).text == before)
            }
        }

        /// A file of somebody else that is set-user-ID gives nobody its owner's id.
        @Test @LoopActor func setUserIDMeansNothing() async throws {
            let program = try Attack.program("files")
            let control = try Host.isolated(
                "mount -t tmpfs -o suid none /mnt && cp $0 /mnt/su && chown 1234 /mnt/su && chmod 6755 /mnt/su && "
                    + "chmod 755 /mnt && exec $0 setuid /mnt/su", [program])
            #expect(Attack.parse(control.text)["setuid.file"] == "ok", "\(control.text)")
            try await withNode { node in
                let file = try node.install("files")
                let sandbox = try node.create()
                try await sandbox.ready()
                // The sandbox's own root owns it: nosuid, no_new_privs and an empty bounding set each stand in the way.
                let owner = SlotAllocator.firstID(of: sandbox.sandbox.slot)
                #expect(chown(file, owner, owner) == 0)
                #expect(chmod(file, 0o6755) == 0)
                try sandbox.sandbox.bind(try await node.code("files"), at: "/var/task")
                let outcomes = try await sandbox.attack("files", ["setuid", "/var/task/files"])
                #expect(outcomes == ["setuid.file": "EPERM", "setuid.memfd": "EPERM"])
                try await sandbox.end()
            }
        }
    }
}
