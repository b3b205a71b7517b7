import Linux
import SandboxTestSupport
import Testing

@testable import Sandbox

/// The shorter filter must say exactly what libseccomp's says: for every call, and for arguments around everything that either
/// compares with.
@Suite struct CompactionTests {
    @Test(arguments: ["default.profile", "init.profile"])
    func saysTheSame(_ name: String) throws {
        let text = try Files.readText(try TestFiles.repository("rootfs-tools/seccomp/" + name))
        let original = try SeccompProgram(compiling: try SeccompProfile(parsing: text, name: name))
        let compact = original.compacted()
        // The small one is as short as it gets.
        #expect(compact.instructionCount <= original.instructionCount)
        if name == "default.profile" { #expect(compact.instructionCount * 3 < original.instructionCount * 2) }
        let before = BPFMachine(original.bytes)
        let after = BPFMachine(compact.bytes)
        var constants: Set<UInt64> = [0, 1, .max]
        for instruction in BPF.decode(original.bytes) {
            let k = UInt64(instruction.k)
            for value in [k, k &+ 1, k &- 1, ~k & 0xffff_ffff, k | 1 << 32] { constants.insert(value) }
        }
        var random = SystemRandomNumberGenerator()
        let interesting = constants.sorted()
        let numbers = Array(-2...1100) + [0x3fff_ffff, 0x4000_0000, 0x4000_0001, 0x7fff_ffff]
        for number in numbers {
            for value in interesting {
                var arguments = (0..<6).map { _ in interesting.randomElement(using: &random) ?? 0 }
                arguments[Int.random(in: 0..<6, using: &random)] = value
                let expected = before.run(number, arguments)
                let got = after.run(number, arguments)
                guard expected == got, expected != nil else {
                    Issue.record(
                        "call \(number) with \(arguments): \(String(describing: expected)), compacted \(String(describing: got))"
                    )
                    return
                }
            }
        }
        let foreign = [BPFMachine.i386, 0, .max].map { after.run(0, [], architecture: $0) }
        #expect(foreign == [BPFMachine.i386, 0, .max].map { before.run(0, [], architecture: $0) })
    }

    @Test func whatIsNotUnderstoodStays() {
        // A filter that adds: no libseccomp program.
        let strange = SeccompProgram(
            bytes: BPF.encode([
                BPF(code: BPF.load, k: 4), BPF(code: BPF.equal, yes: 0, no: 1, k: 5), BPF(code: 0x04, k: 7),
                BPF(code: BPF.answer, k: 0), BPF(code: BPF.answer, k: 0x7fff_0000),
            ]))
        #expect(strange.compacted() == strange)
    }
}
