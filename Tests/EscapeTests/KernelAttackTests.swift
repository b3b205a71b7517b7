import Linux
import SandboxTestSupport
import Testing

@testable import Sandbox

extension EscapeTests {
    /// Namespaces, mounts, and the kernel's interfaces, as the tenant's user and as the sandbox's own root.
    @Suite(.serialized, .timeLimit(.minutes(3))) struct Kernel {
        /// Runs an attack for both ids, and its control.
        @LoopActor
        private func attempt(
            _ name: String, _ arguments: [String], _ expected: [Expectation], terminals: Bool = false,
            prepare: String = ":", asRoot: [String: String] = [:]
        ) async throws {
            expected.check(control: try Attack.control(name, arguments, prepare: prepare))
            try await withNode { node in
                for uid: UInt32 in [1000, 0] {
                    let outcomes = try await node.attack(name, arguments, uid: uid, terminals: terminals)
                    let wanted = expected.map { expectation in
                        let override = uid == 0 ? asRoot[expectation.name] : nil
                        return Expectation(expectation.name, override ?? expectation.inside)
                    }
                    wanted.check(inside: outcomes, "uid \(uid)")
                }
            }
        }

        private static let kinds = ["mount", "cgroup", "uts", "ipc", "user", "pid", "net"]

        @Test @LoopActor func noNamespaceIsMadeOrEntered() async throws {
            let expected =
                Expectation.all(Self.kinds.map { "unshare." + $0 } + Self.kinds.map { "clone." + $0 }, "EPERM")
                + Expectation.all(Self.kinds.map { "clone3." + $0 } + ["clone3.plain"], "ENOSYS") + [
                    // No time namespaces in kernels without CONFIG_TIME_NS.
                    Expectation("unshare.time", "EPERM", outside: nil),
                    Expectation("clone3.time", "ENOSYS", outside: nil), Expectation("clone.plain", "ok"),
                    Expectation("setns.file", "EPERM"), Expectation("setns.pidfd", "EPERM"),
                ]
            try await attempt("namespaces", ["namespaces"], expected)
        }

        /// The second wall: without any filter a program gains no namespace either.
        @Test @LoopActor func withoutTheFilterNoUserNamespaceIsMade() async throws {
            try await withNode { node in
                let outcomes = try await node.attack("namespaces", ["namespaces"], filtered: false)
                // The namespace's own limit, which is zero (user_namespaces(7)).
                #expect(outcomes["unshare.user"] == "ENOSPC")
                #expect(outcomes["clone.user"] == "ENOSPC" && outcomes["clone3.user"] == "ENOSPC")
                for kind in Self.kinds where kind != "user" {
                    #expect(outcomes["unshare." + kind] == "EPERM", "\(kind)")
                    #expect(outcomes["clone3." + kind] == "EPERM", "\(kind)")
                }
                #expect(outcomes["clone3.plain"] == "ok")
                #expect(outcomes["setns.file"] == "EPERM" && outcomes["setns.pidfd"] == "EPERM")
            }
        }

        private static let mounts = [
            "mount.proc", "mount.sysfs", "mount.cgroup2", "mount.tmpfs", "mount.bind", "remount.proc", "remount.root",
            "propagation", "unmask", "umount.dev", "fsopen.proc", "fsopen.sysfs", "open_tree", "mount_setattr",
            "move_mount", "fspick", "chroot",
        ]

        @Test @LoopActor func nothingIsMountedUnmaskedOrRemounted() async throws {
            try await attempt(
                "namespaces", ["mounts"],
                Expectation.all(Self.mounts, "EPERM") + [Expectation("pivot_root", "EPERM", outside: "ENOENT")],
                prepare: "mount --bind /dev/null /proc/keys")
        }

        @Test @LoopActor func withoutTheFilterNothingIsMountedEither() async throws {
            try await withNode { node in
                for uid: UInt32 in [1000, 0] {
                    let outcomes = try await node.attack("namespaces", ["mounts"], uid: uid, filtered: false)
                    for name in Self.mounts { #expect(outcomes[name] == "EPERM", "\(name) as uid \(uid)") }
                }
            }
        }

        @Test @LoopActor func callsThatNoFunctionNeedsAreRefused() async throws {
            let refused = [
                "io_uring", "bpf", "perf", "userfaultfd", "keyctl", "add_key", "request_key", "ptrace",
                "process_vm_readv", "kcmp", "pidfd_getfd", "open_by_handle_at", "fanotify", "syslog", "quotactl",
                "personality", "realtime", "nice", "sync",
            ]
            let expected =
                Expectation.all(refused.filter { $0 != "nice" }, "EPERM") + [
                    Expectation("nice", "EACCES"),
                    // Left out: programs take them for an older kernel's and do without.
                    Expectation("inotify", "ENOSYS"), Expectation("aio", "ENOSYS"),
                    Expectation("memfd_secret", "ENOSYS", outside: nil),
                    // The control passes the test of privilege and fails by its arguments, or the kernel has no modules.
                    Expectation("init_module", "EPERM", outside: nil),
                    Expectation("finit_module", "EPERM", outside: nil),
                    Expectation("delete_module", "EPERM", outside: nil),
                    Expectation("kexec_load", "EPERM", outside: nil),
                    Expectation("reboot", "EPERM", outside: "EINVAL"),
                    Expectation("swapon", "EPERM", outside: "ENOENT"), Expectation("acct", "EPERM", outside: "ENOENT"),
                    Expectation("settimeofday", "EPERM", outside: "EINVAL"),
                    Expectation("adjtimex", "EPERM", outside: "EINVAL"),
                    Expectation("sethostname", "EPERM", outside: "EINVAL"),
                    Expectation("iopl", "EPERM", outside: nil), Expectation("ioperm", "EPERM", outside: nil),
                    Expectation("modify_ldt", "EPERM"),
                    // By limit, not by filter.
                    Expectation("rlimit", "EPERM", outside: nil), Expectation("mlock", "EPERM"),
                ]
            try await attempt("kernel", ["calls"], expected)
        }

        /// The numbers of another architecture mean other calls; one attempt ends the process.
        @Test @LoopActor func otherArchitecturesKill() async throws {
            try await attempt(
                "kernel", ["architectures"],
                [Expectation("int80", "SIGSYS"), Expectation("x32", "SIGSYS", outside: "ENOSYS")])
        }

        @Test @LoopActor func noCharactersAreTypedIntoATerminal() async throws {
            try await attempt(
                "kernel", ["terminal"], [Expectation("tiocsti", "EPERM")], terminals: true)
        }

        @Test @LoopActor func socketsAreOfFourFamiliesAndFewProtocols() async throws {
            let families = (0..<46).map { family in
                [1, 2, 10, 16].contains(family)
                    ? Expectation("family.\(family)", "ok")
                    : Expectation("family.\(family)", "EAFNOSUPPORT", outside: nil)
            }
            let netlink = (0..<23).map { protocolNumber in
                Expectation(
                    "netlink.\(protocolNumber)", protocolNumber == 0 ? "ok" : "ENOSYS",
                    outside: [0, 15, 16].contains(protocolNumber) ? "ok" : nil)
            }
            try await attempt(
                "sockets", [],
                families + netlink + [
                    // The control's kernel has packets; those that a tenant could have used are asked one by one above.
                    Expectation("raw.icmp", "ENOSYS"), Expectation("raw.raw", "ENOSYS"),
                    Expectation("ip.sctp", "ENOSYS", outside: nil), Expectation("ip.dccp", "ENOSYS", outside: nil),
                    Expectation("ip.mptcp", "ENOSYS", outside: nil), Expectation("ip.udplite", "ENOSYS", outside: nil),
                    Expectation("ip.tcp", "ok"), Expectation("ip6.udp", "ok"), Expectation("pair.unix", "ok"),
                    Expectation("pair.tipc", "EAFNOSUPPORT", outside: nil),
                    Expectation("outside", "ENETUNREACH", outside: nil),
                ])
            // AF_PACKET is what the control has and a tenant must not.
            #expect(try Attack.control("sockets", [])["family.17"] == "ok")
        }
    }
}
