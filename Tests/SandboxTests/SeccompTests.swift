import Glibc
import Linux
import SandboxTestSupport
import Testing

@testable import Sandbox

extension SandboxTests {
    /// The profile's format, and the meaning of the compiled program, asked of the program itself.
    @Suite struct Seccomp {
        private func compile(_ text: String) throws -> BPFMachine {
            BPFMachine(try SeccompProgram(compiling: try SeccompProfile(parsing: text, name: "test")).bytes)
        }

        private func shipped(_ name: String = "default.profile") throws -> BPFMachine {
            let text = try Files.readText(try TestFiles.repository("rootfs-tools/seccomp/" + name))
            return try compile(text)
        }

        // MARK: The format

        @Test func readsRulesAndComments() throws {
            let machine = try compile(
                """
                # families
                default errno ENOSYS
                allow read write   # trailing
                errno EPERM mount
                allow clone if arg0 & 0x7e020000 == 0
                """)
            #expect(machine.run(0) == .allow && machine.run(1) == .allow)
            #expect(machine.run(165) == .errno(EPERM))
            #expect(machine.run(2) == .errno(ENOSYS))
            #expect(machine.run(56, [0x11]) == .allow)
            #expect(machine.run(56, [0x1000_0011]) == .errno(ENOSYS))
        }

        @Test(arguments: [
            ("deny read", 2, "'deny' is none of default, allow, errno"),
            ("allow", 2, "no system call named"),
            ("allow if arg0 == 1", 2, "no system call named"),
            ("allow Read", 2, "'Read' is no name of a system call"),
            ("allow read;write", 2, "'read;write' is no name of a system call"),
            ("errno EWHAT read", 2, "expected an error name"),
            ("errno", 2, "expected an error name"),
            ("allow read if arg6 == 1", 2, "expected 'if argN"),
            ("allow read if arg0 < 1", 2, "expected 'if argN"),
            ("allow read if arg0 == banana", 2, "expected 'if argN"),
            ("allow read if arg0 & 1", 2, "expected 'if argN"),
            ("allow read if arg0 == 1 2", 2, "expected 'if argN"),
            ("allow read if", 2, "expected 'if argN"),
            ("default allow", 2, "a second 'default' line"),
            ("default errno EPERM", 2, "a second 'default' line"),
            ("allow read if arg0 == 0x1ffffffffffffffff", 2, "expected 'if argN"),
        ])
        func errorsNameTheLine(_ line: String, _ number: Int, _ reason: String) throws {
            let error = #expect(throws: SandboxError.self) {
                _ = try SeccompProfile(parsing: "default errno EPERM\n\(line)\n", name: "file.profile")
            }
            let text = try #require(error).description
            #expect(text.hasPrefix("seccomp profile file.profile, line \(number): "), "\(text)")
            #expect(text.contains(reason), "\(text)")
        }

        @Test func aProfileWithoutADefaultIsRefused() throws {
            let error = #expect(throws: SandboxError.self) {
                _ = try SeccompProfile(parsing: "allow read\n", name: "x")
            }
            #expect(try #require(error).description == "seccomp profile x: no 'default' line")
        }

        @Test func callsOfAnotherKernelFallToTheDefault() throws {
            let machine = try compile("default errno EPERM\nallow read call_of_the_year_2040\n")
            #expect(machine.run(0) == .allow)
            #expect(machine.run(599) == .errno(EPERM))
        }

        // MARK: default.profile

        @Test func fitsIntoOneMessage() throws {
            let program = try SeccompProgram(compiling: try TestFiles.defaultProfile())
            #expect(program.instructionCount < 1024)
        }

        @Test func isTighterThanTheUsualDefault() throws {
            let machine = try shipped()
            let allowed = (0..<600).filter { machine.run($0) == .allow }
            // moby's default allows 361 names. What is allowed only with some argument is not counted here.
            #expect(allowed.count < 260, "\(allowed.count)")
            for call in 0..<600 { #expect(machine.run(call) != nil, "call \(call) runs off the program") }
        }

        @Test func otherArchitecturesAreKilled() throws {
            let machine = try shipped()
            #expect(machine.run(1, architecture: BPFMachine.i386) == .killProcess)
            #expect(machine.run(0x4000_0000 | 1) == .killProcess)  // x32
        }

        /// The calls' numbers on x86_64 (asm/unistd_64.h).
        @Test(arguments: [
            ("ptrace", 101), ("process_vm_readv", 310), ("process_vm_writev", 311), ("bpf", 321),
            ("perf_event_open", 298), ("userfaultfd", 323), ("io_uring_setup", 425), ("io_uring_enter", 426),
            ("io_uring_register", 427), ("keyctl", 250), ("add_key", 248), ("request_key", 249), ("mount", 165),
            ("umount2", 166), ("pivot_root", 155), ("chroot", 161), ("fsopen", 430), ("fsconfig", 431),
            ("fsmount", 432), ("fspick", 433), ("open_tree", 428), ("move_mount", 429), ("mount_setattr", 442),
            ("unshare", 272), ("setns", 308), ("init_module", 175), ("finit_module", 313), ("delete_module", 176),
            ("kexec_load", 246), ("kexec_file_load", 320), ("reboot", 169), ("swapon", 167), ("swapoff", 168),
            ("settimeofday", 164), ("clock_settime", 227), ("clock_adjtime", 305), ("adjtimex", 159),
            ("open_by_handle_at", 304), ("name_to_handle_at", 303), ("quotactl", 179), ("acct", 163),
            ("syslog", 103), ("iopl", 172), ("ioperm", 173), ("modify_ldt", 154), ("kcmp", 312), ("pidfd_getfd", 438),
            ("process_madvise", 440), ("fanotify_init", 300), ("sethostname", 170), ("lookup_dcookie", 212),
        ])
        func dangerousCallsAreRefused(_ name: String, _ number: Int) throws {
            #expect(try shipped().run(number) == .errno(EPERM), "\(name)")
        }

        @Test(arguments: [
            ("clone3", 435), ("vmsplice", 278), ("inotify_init1", 294), ("io_setup", 206), ("mbind", 237),
            ("msgget", 68), ("mq_open", 240), ("memfd_secret", 447), ("cachestat", 451), ("statmount", 457),
            ("one that does not exist yet", 590),
        ])
        func callsLeftOutLookLikeAnOlderKernel(_ name: String, _ number: Int) throws {
            #expect(try shipped().run(number) == .errno(ENOSYS), "\(name)")
        }

        /// moby's default profile allows 361 calls without a condition.
        @Test func theAllowlistIsShort() throws {
            let text = try Files.readText(try TestFiles.repository("rootfs-tools/seccomp/default.profile"))
            let profile = try SeccompProfile(parsing: text, name: "default.profile")
            let allowed = Set(profile.rules.filter { $0.action == SeccompProfile.allow }.map(\.name))
            #expect(profile.isAllowlist && profile.defaultAction == SeccompProfile.errno(ENOSYS))
            #expect(allowed.count < 280, "\(allowed.count) calls are allowed")
        }

        @Test func protocolsAreThoseOfEverydayPrograms() throws {
            let machine = try shipped()
            for family: UInt64 in [2, 10] {
                for number: UInt64 in 0...300 {
                    #expect(
                        (machine.run(41, [family, 1, number]) == .allow) == [0, 6, 17].contains(number),
                        "family \(family), protocol \(number)")
                }
            }
            for number: UInt64 in 0...30 {
                #expect((machine.run(41, [16, 3, number]) == .allow) == (number == 0), "netlink \(number)")
            }
        }

        // MARK: One profile behind another

        /// Whatever the second one says, a call that the first refuses stays refused, with the first's answer.
        @Test(arguments: [
            "default allow", "default errno ENOSYS\nallow read ptrace mount keyctl bpf unshare",
            "default allow\nerrno EACCES socket\nerrno EACCES openat if arg2 & 0x3 == 1",
        ])
        func aSecondProfileOnlyTightens(_ text: String) throws {
            let first = try SeccompProgram(compiling: try TestFiles.defaultProfile()).compacted()
            let second = try SeccompProgram(compiling: try SeccompProfile(parsing: text, name: "second")).compacted()
            let alone = BPFMachine(first.bytes)
            let behind = BPFMachine(second.bytes)
            let both = BPFMachine(try first.stacked(with: second).bytes)
            let compact = BPFMachine(try first.stacked(with: second).compacted().bytes)
            var random = SeededGenerator()
            for call in Array(-1...600) + [0x4000_0027] {
                for round in 0..<40 {
                    let arguments: [UInt64] = (0..<6).map { _ in
                        round == 0 ? 0 : random.next() >> UInt64.random(in: 0..<64, using: &random)
                    }
                    let before = alone.run(call, arguments)
                    let expected = before == .allow ? behind.run(call, arguments) : before
                    #expect(both.run(call, arguments) == expected, "call \(call) \(arguments)")
                    #expect(compact.run(call, arguments) == expected, "call \(call) \(arguments)")
                }
            }
            #expect(both.run(0, [], architecture: BPFMachine.i386) == .killProcess)
        }

        @Test func bothTogetherMustFit() throws {
            let first = try SeccompProgram(compiling: try TestFiles.defaultProfile())
            let long = SeccompProgram(
                bytes: BPF.encode([BPF](repeating: BPF(code: BPF.answer, k: SeccompProfile.allow), count: 3000)))
            #expect(throws: SandboxError.self) { _ = try first.stacked(with: long) }
        }

        @Test func cloneTakesNoNamespaceFlag() throws {
            let machine = try shipped()
            for flags: UInt64 in [0x11, 0x50f00, 0x3d0f00, 0x4111, 0x01200011] {
                #expect(machine.run(56, [flags]) == .allow, "\(flags)")
            }
            for bit: UInt64 in [17, 25, 26, 27, 28, 29, 30] {
                for others: UInt64 in [0, 0x11, 0x50f00, 0x7e02_0000, 1 << 40] {
                    #expect(machine.run(56, [1 << bit | others]) == .errno(EPERM), "bit \(bit) with \(others)")
                }
            }
        }

        /// Every family, with and without rubbish in the upper half of the register, which the kernel drops.
        @Test func onlyFourSocketFamilies() throws {
            let machine = try shipped()
            let allowed: Set<UInt64> = [1, 2, 10, 16]
            for family: UInt64 in 0..<64 {
                #expect(
                    machine.run(41, [family]) == (allowed.contains(family) ? .allow : .errno(EAFNOSUPPORT)),
                    "family \(family)")
                #expect(machine.run(41, [family | 1 << 32]) != .allow, "family \(family) with a high bit")
            }
            #expect(machine.run(41, [64]) != .allow && machine.run(41, [.max]) != .allow)
            #expect(machine.run(53, [1]) == .allow)
            for family: UInt64 in [0, 2, 16, 30, 38, 40, 1 << 32 | 1] {
                #expect(machine.run(53, [family]) == .errno(EAFNOSUPPORT), "pair of \(family)")
            }
        }

        @Test func noCharactersArePushedIntoATerminal() throws {
            let machine = try shipped()
            for high: UInt64 in [0, 1 << 32, 0xffff_ffff << 32] {
                for request: UInt64 in [0x5412, 0x541c, 0x541d, 0x541e, 0x541f] {
                    #expect(machine.run(16, [0, request | high]) == .errno(EPERM), "\(request) \(high)")
                }
            }
            for request: UInt64 in [
                0x5401, 0x5402, 0x540e, 0x540f, 0x5410, 0x5411, 0x5413, 0x5414, 0x541b, 0x5421,
                0x5450, 0x5451, 0x5452, 0x8910, 0x8912, 0x40049409, 0x80045430, 0x40045431, 0x5441,
            ] {
                #expect(machine.run(16, [0, request]) == .allow, "\(request)")
            }
            // Nothing of perf, KVM, tun, loop devices, nsfs.
            for request: UInt64 in [0x2400, 0xae01, 0x4004_54ca, 0x4c00, 0xb701, 0xaa3f] {
                #expect(machine.run(16, [0, request]) != .allow, "\(request)")
            }
        }

        @Test func fcntlHasNoLeasesAndNoNotes() throws {
            let machine = try shipped()
            for high: UInt64 in [0, 1 << 33] {
                for command: UInt64 in 0...17 { #expect(machine.run(72, [0, command | high]) == .allow) }
                for command: UInt64 in [36, 37, 38, 1028, 1030, 1031, 1032, 1033, 1034] {
                    #expect(machine.run(72, [0, command | high]) == .allow, "\(command)")
                }
                for command: UInt64 in [1024, 1025, 1026] {
                    #expect(machine.run(72, [0, command | high]) == .errno(EINVAL), "\(command)")
                }
            }
        }

        @Test func nodesArePipesOrFiles() throws {
            let machine = try shipped()
            for (call, at) in [(133, 1), (259, 2)] {
                for (kind, expected): (UInt64, BPFMachine.Verdict) in [
                    (0, .allow), (0x1000, .allow), (0x8000, .allow), (0x2000, .errno(EPERM)), (0x6000, .errno(EPERM)),
                ] {
                    var arguments = [UInt64](repeating: 0, count: 6)
                    arguments[at] = kind | 0o644
                    #expect(machine.run(call, arguments) == expected, "call \(call) kind \(kind)")
                }
            }
        }

        @Test func personalityIsOnlyAsked() throws {
            let machine = try shipped()
            #expect(machine.run(135, [0xffff_ffff]) == .allow)
            for value: UInt64 in [0, 8, 0x0004_0000, 0x0040_0000, 0x1_ffff_ffff] {
                #expect(machine.run(135, [value]) == .errno(EPERM), "\(value)")
            }
        }

        // MARK: init.profile

        @Test func aSealedPID1HasTheCallsOfItsLoopAndNoOthers() throws {
            let machine = try shipped("init.profile")
            // ppoll restart_syscall recvmsg close kill wait4 read sendmsg clock_gettime exit_group
            let loop = [271, 219, 47, 3, 62, 61, 0, 46, 228, 231]
            for call in 0..<600 where call != 28 {
                #expect(machine.run(call) == (loop.contains(call) ? .allow : .errno(EPERM)), "call \(call)")
            }
            #expect(machine.run(28, [0, 4096, 4]) == .allow, "madvise(MADV_DONTNEED)")
            #expect(machine.run(28, [0, 4096, 14]) == .errno(EPERM))
        }
    }
}
