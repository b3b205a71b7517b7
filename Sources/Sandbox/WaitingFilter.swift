import CSeccomp

/// A filter for a sandbox that waits for its function, installed while nobody waits: it takes 0.1 ms, a sixth of a claim.
///
/// PID 1 must still attach the function's code, which no program may. So `move_mount` is allowed to whoever knows a number: the
/// kernel reads 32 bits of its two descriptors (move_mount(2)), a filter sees 64 (seccomp(2)), and the upper halves have to hold a key of
/// 64 random bits that hearthd draws and only PID 1 is told. It forgets the key when it is sealed, and gives up the capability then that
/// mounting takes, so that nothing has to be installed in the way of a claim.
package struct WaitingFilter: Sendable {
    /// The filter with a key of 0, as bytes: what differs from sandbox to sandbox is two words of it.
    private let template: [UInt8]

    // struct seccomp_data (linux/seccomp.h) on a little-endian machine: nr, arch, instruction_pointer, args[6].
    private static let number: UInt32 = 0
    private static let architectureField: UInt32 = 4
    private static func upperHalf(ofArgument index: UInt32) -> UInt32 { 16 + 8 * index + 4 }

    /// - Parameter program: what it says of every call, but for the one with the key.
    /// - Throws: `.invalid` for a program that does not begin by looking at the architecture, as libseccomp's do.
    package init(_ program: SeccompProgram) throws(SandboxError) {
        let code = BPF.decode(program.bytes)
        let number = seccomp_syscall_resolve_name("move_mount")
        guard code.count > 1, code[0] == BPF(code: BPF.load, k: Self.architectureField), code[1].code == BPF.equal,
            number >= 0
        else { throw .invalid("seccomp: the program is not one of libseccomp's; it cannot be installed ahead") }
        let checks: [(field: UInt32, value: UInt32)] = [
            (Self.architectureField, code[1].k), (Self.number, UInt32(number)),
            (Self.upperHalf(ofArgument: 0), 0), (Self.upperHalf(ofArgument: 2), 0),
        ]
        var prelude: [BPF] = []
        for (index, check) in checks.enumerated() {
            prelude.append(BPF(code: BPF.load, k: check.field))
            // To the program itself, past the checks that are left and the answer.
            let rest = 2 * (checks.count - index - 1) + 1
            prelude.append(BPF(code: BPF.equal, yes: 0, no: UInt8(rest), k: check.value))
        }
        prelude.append(BPF(code: BPF.answer, k: SeccompProfile.allow))
        template = BPF.encode(prelude + code)
    }

    /// Where the values of the last two checks lie: instructions 5 and 7, of 8 bytes each, the value in the last four.
    private static let halves = (5 * 8 + 4, 7 * 8 + 4)

    /// The filter for one sandbox.
    package func program(key: UInt64) -> SeccompProgram {
        var bytes = template
        for index in 0..<4 {
            bytes[Self.halves.0 + index] = UInt8(truncatingIfNeeded: key >> (32 + 8 * UInt64(index)))
            bytes[Self.halves.1 + index] = UInt8(truncatingIfNeeded: key >> (8 * UInt64(index)))
        }
        return SeccompProgram(bytes: bytes)
    }
}
