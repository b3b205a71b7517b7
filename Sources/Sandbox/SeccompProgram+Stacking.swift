/// One filter behind another, as one program.
extension SeccompProgram {
    /// Allows what both allow. What this one refuses is answered as this one answers it; what only `other` refuses, as that does.
    ///
    /// The kernel would say nearly the same of two filters, and takes the strictest answer of them; but it translates and runs each, so
    /// that one program is cheaper. Every ALLOW of the first becomes a jump to the second, and nothing else changes: whatever
    /// the second contains, a call that the first refuses never reaches it.
    ///
    /// - Throws: `.invalid` when both together are longer than PID 1 takes.
    package func stacked(with other: SeccompProgram) throws(SandboxError) -> SeccompProgram {
        var first = BPF.decode(bytes)
        for index in first.indices where first[index].code == BPF.answer && first[index].k == SeccompProfile.allow {
            first[index] = BPF(code: BPF.jump, k: UInt32(first.count - index - 1))
        }
        let both = SeccompProgram(bytes: BPF.encode(first) + other.bytes)
        guard both.instructionCount <= SeccompProgram.maximumInstructions else {
            throw .invalid(
                "seccomp: the profile and the one behind it take \(both.instructionCount) instructions, more than "
                    + "\(SeccompProgram.maximumInstructions); name fewer calls")
        }
        return both
    }
}
