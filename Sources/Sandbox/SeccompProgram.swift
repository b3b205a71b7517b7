import CSeccomp
import Glibc
import Linux
import NurseryABI

/// A compiled seccomp filter: BPF instructions, ready to be handed to PID 1.
package struct SeccompProgram: Sendable, Hashable {
    package let bytes: [UInt8]

    package var instructionCount: Int { bytes.count / 8 }

    /// What PID 1 takes; the kernel's own limit is 4096.
    static var maximumInstructions: Int { Int(HP_FILTER_MAX.rawValue) }

    init(bytes: [UInt8]) {
        self.bytes = bytes
    }

    /// Compiles a profile through libseccomp, as a binary tree over the call numbers (SCMP_FLTATR_CTL_OPTIMIZE 2): 9
    /// comparisons instead of up to 300 for each call.
    package init(compiling profile: SeccompProfile) throws(SandboxError) {
        guard let context = seccomp_init(profile.defaultAction) else {
            throw .invalid("seccomp: libseccomp refused the default action")
        }
        defer { seccomp_release(context) }
        try Self.check(seccomp_attr_set(context, SCMP_FLTATR_CTL_OPTIMIZE, 2), "the binary tree")
        // Any other architecture (int 0x80, x32) is killed: its numbers mean other calls.
        try Self.check(seccomp_attr_set(context, SCMP_FLTATR_ACT_BADARCH, SeccompProfile.killProcess), "bad archs")
        for rule in profile.rules {
            let number = seccomp_syscall_resolve_name(rule.name)
            // Calls that this libseccomp or this processor does not know fall to the default, which denies.
            guard number >= 0 else { continue }
            // libseccomp refuses a rule that says what the default says (EACCES).
            if rule.action == profile.defaultAction, rule.conditions.isEmpty { continue }
            try rule.conditions.withUnsafeBufferPointer { (conditions) throws(SandboxError) in
                try Self.check(
                    seccomp_rule_add_array(
                        context, rule.action, number, UInt32(conditions.count), conditions.baseAddress),
                    "the rule for \(rule.name)")
            }
        }
        bytes = try Self.export(context)
    }

    private static func check(_ result: Int32, _ what: String) throws(SandboxError) {
        guard result == 0 else { throw .invalid("seccomp: \(what): \(Errno(rawValue: -result))") }
    }

    private static func export(_ context: scmp_filter_ctx) throws(SandboxError) -> [UInt8] {
        // seccomp_export_bpf_mem came with 2.6; a file works with every version.
        do throws(Errno) {
            let fd = try MemoryFile.empty(name: "seccomp")
            let result = seccomp_export_bpf(context, fd.rawValue)
            guard result == 0 else { throw Errno(rawValue: -result) }
            _ = lseek(fd.rawValue, 0, SEEK_SET)
            return try Files.readAll(fd, limit: 1 << 20)
        } catch {
            throw .invalid("seccomp: exporting the program: \(error)")
        }
    }
}
