import Glibc
import Linux
import SandboxTestSupport
import Testing

@testable import Sandbox

extension SandboxTests {
    /// The filter that a sandbox waits with: everybody's, but for one call of whoever knows its number.
    @Suite struct WaitingFilters {
        private static let moveMount = 429

        @Test func itSaysWhatTheProfileSaysOfEveryCall() throws {
            let program = try SeccompProgram(compiling: try TestFiles.defaultProfile())
            let whole = BPFMachine(program.bytes)
            let waiting = BPFMachine(try WaitingFilter(program.compacted()).program(key: 0x1122_3344_5566_7788).bytes)
            for call in 0..<600 {
                for arguments in [[], [1, 1, 1, 1, 1, 1], [UInt64](repeating: .max, count: 6)] as [[UInt64]] {
                    #expect(waiting.run(call, arguments) == whole.run(call, arguments), "call \(call) \(arguments)")
                }
            }
            #expect(waiting.run(0, architecture: BPFMachine.i386) == .killProcess)
        }

        @Test func onlyTheKeyOpensIt() throws {
            let filter = try WaitingFilter(try SeccompProgram(compiling: try TestFiles.defaultProfile()))
            for _ in 0..<200 {
                let key = UInt64.random(in: 1...UInt64.max)
                let machine = BPFMachine(filter.program(key: key).bytes)
                let right: [UInt64] = [key & 0xffff_ffff_0000_0000 | 6, 0x41, key << 32 | 8, 0x41, 0x44]
                #expect(machine.run(Self.moveMount, right) == .allow, "key \(key)")
                for index in [0, 2] {
                    var wrong = right
                    wrong[index] ^= 1 << UInt64.random(in: 32..<64)
                    #expect(machine.run(Self.moveMount, wrong) == .errno(EPERM), "key \(key) argument \(index)")
                }
            }
        }

        @Test(arguments: ["", "allow move_mount"]) func whateverTheProfileSaysOfIt(_ line: String) throws {
            let text = "default errno ENOSYS\nallow read\n\(line)"
            let program = try SeccompProgram(compiling: try SeccompProfile(parsing: text, name: "test"))
            let machine = BPFMachine(try WaitingFilter(program).program(key: 1 << 32 | 1).bytes)
            #expect(machine.run(0) == .allow)
            #expect(machine.run(Self.moveMount, [6, 0, 8, 0, 0]) == (line.isEmpty ? .errno(ENOSYS) : .allow))
            #expect(machine.run(Self.moveMount, [1 << 32 | 6, 0, 1 << 32 | 8, 0, 0]) == .allow)
            // The same number on another architecture is another call.
            let foreign = machine.run(
                Self.moveMount, [1 << 32 | 6, 0, 1 << 32 | 8, 0, 0], architecture: BPFMachine.i386)
            #expect(foreign == .killProcess)
        }

        @Test func aProgramThatDoesNotLookAtTheArchitectureIsRefused() throws {
            let allow = BPF(code: BPF.answer, k: SeccompProfile.allow)
            for code in [[], [allow], [BPF(code: BPF.load, k: 0), BPF(code: BPF.equal, k: 1), allow]] {
                #expect(throws: SandboxError.self) { try WaitingFilter(SeccompProgram(bytes: BPF.encode(code))) }
            }
        }

        @Test @LoopActor func aSandboxThatWaitsWithItCanStillBeGivenItsCode() async throws {
            try await withNode { node in
                let filter = try WaitingFilter(try SeccompProgram(compiling: try TestFiles.defaultProfile()))
                try Files.makeDirectories(node.directory + "/code/c")
                try Files.write(Array("code\n".utf8), to: node.directory + "/code/c/hello")
                let sandbox = try node.create()
                let installed = try sandbox.sandbox.filter(filter)
                try await sandbox.event("filtered") { if case .filtered(installed) = $0 { true } else { false } }
                #expect(try await sandbox.proc("status").contains("Seccomp_filters:\t1"))

                // What starts now is under it, and does not know the number.
                let mount = """
                    import ctypes, os
                    c = ctypes.CDLL(None, use_errno=True)
                    r = c.syscall(429, 0, b"/tmp", -100, b"/tmp", 0)
                    print(r, os.strerror(ctypes.get_errno()))
                    """
                let output = try await sandbox.run(["/usr/bin/python3", "-c", mount])
                #expect(output.lines == ["-1 Operation not permitted"], "\(output.text) \(output.errors)")

                let bound = try sandbox.sandbox.bind(try await node.code("c"), at: "/var/task")
                try await sandbox.event("bound") { if case .bound(bound, _) = $0 { true } else { false } }
                let sealed = try sandbox.sandbox.seal(spawning: true, filter: nil)
                try await sandbox.event("sealed") { if case .sealed(sealed) = $0 { true } else { false } }
                let command = ["/bin/sh", "-c", "cat /var/task/hello; grep Seccomp /proc/self/status"]
                let lines = try await sandbox.run(command).lines
                #expect(lines == ["code", "Seccomp:\t2", "Seccomp_filters:\t1"])

                // Sealed, it attaches nothing and takes no other filter.
                let again = try sandbox.sandbox.bind(try await node.code("c"), at: "/tmp")
                try await sandbox.event("refusal") { if case .failed(again, _) = $0 { true } else { false } }
                let late = try sandbox.sandbox.filter(filter)
                try await sandbox.event("refusal") { if case .failed(late, _) = $0 { true } else { false } }
                try await sandbox.end()
            }
        }
    }
}
