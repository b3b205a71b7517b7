/// A seccomp filter run outside of the kernel (classic BPF, Documentation/userspace-api/seccomp_filter.rst), so that a test can ask
/// it about any call and any register without making the call.
struct BPFMachine {
    /// AUDIT_ARCH_X86_64 (linux/audit.h).
    static let x86: UInt32 = 0xc000_003e
    static let i386: UInt32 = 0x4000_0003

    enum Verdict: Equatable {
        case allow
        case errno(Int32)
        case killProcess
        case other(UInt32)
    }

    private let code: [(op: UInt16, yes: UInt8, no: UInt8, k: UInt32)]

    init(_ bytes: [UInt8]) {
        code = bytes.withUnsafeBytes { raw in
            stride(from: 0, to: raw.count - 7, by: 8).map { at in
                (
                    raw.loadUnaligned(fromByteOffset: at, as: UInt16.self), raw[at + 2], raw[at + 3],
                    raw.loadUnaligned(fromByteOffset: at + 4, as: UInt32.self)
                )
            }
        }
    }

    /// nil when the program does something that libseccomp never writes, or runs off its end.
    func run(_ call: Int, _ arguments: [UInt64] = [], architecture: UInt32 = x86) -> Verdict? {
        // struct seccomp_data: nr, arch, instruction_pointer, args[6].
        var data = [UInt32](repeating: 0, count: 16)
        data[0] = UInt32(truncatingIfNeeded: call)
        data[1] = architecture
        for (index, argument) in arguments.prefix(6).enumerated() {
            data[4 + 2 * index] = UInt32(truncatingIfNeeded: argument)
            data[5 + 2 * index] = UInt32(truncatingIfNeeded: argument >> 32)
        }
        var accumulator: UInt32 = 0
        var at = 0
        while at < code.count {
            let (op, yes, no, k) = code[at]
            at += 1
            switch op {
            case 0x20: accumulator = data[Int(k) / 4]  // BPF_LD | BPF_W | BPF_ABS
            case 0x54: accumulator &= k  // BPF_ALU | BPF_AND | BPF_K
            case 0x05: at += Int(k)  // BPF_JMP | BPF_JA
            case 0x15: at += Int(accumulator == k ? yes : no)  // JEQ
            case 0x25: at += Int(accumulator > k ? yes : no)  // JGT
            case 0x35: at += Int(accumulator >= k ? yes : no)  // JGE
            case 0x45: at += Int(accumulator & k != 0 ? yes : no)  // JSET
            case 0x06:  // BPF_RET | BPF_K
                switch k & 0xffff_0000 {
                case 0x7fff_0000: return .allow
                case 0x0005_0000: return .errno(Int32(k & 0xffff))
                case 0x8000_0000: return .killProcess
                default: return .other(k)
                }
            default: return nil
            }
        }
        return nil
    }
}
