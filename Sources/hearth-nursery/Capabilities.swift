import CNursery
import NurseryABI

/// Capability sets of PID 1 and of what it starts (capabilities(7)).
enum Capabilities {
    private static let kill: UInt64 = 1 << 5
    private static let setgid: UInt64 = 1 << 6
    private static let setuid: UInt64 = 1 << 7
    private static let setpcap: UInt64 = 1 << 8
    private static let sysAdmin: UInt64 = 1 << 21
    /// The highest capability this code knows is 40 (CAP_CHECKPOINT_RESTORE); a kernel may have more.
    private static let most: UInt = 63

    /// SECBIT_NOROOT, SECBIT_NO_CAP_AMBIENT_RAISE and the locks (0x1, 0x40 and each one's successor).
    private static let noRoot: UInt = 0x1 | 0x2
    private static let keepCapsLocked: UInt = 0x20
    private static let noAmbient: UInt = 0x40 | 0x80

    /// Empties the bounding set but for `allowed`, and locks the rules by which uid 0 would gain capabilities at exec
    /// (CVE-2022-29162 and CVE-2022-27650 were inheritable sets left full).
    static func limit(to allowed: UInt64) throws(Failure) {
        for capability in 0...most where allowed & (1 << UInt64(capability)) == 0 {
            // EINVAL is the first capability this kernel does not have.
            if cn_prctl(PR_CAPBSET_DROP, capability) == -Int(CN_EINVAL) { break }
        }
        try check(cn_prctl2(PR_CAP_AMBIENT, UInt(PR_CAP_AMBIENT_CLEAR_ALL), 0), HN_STAGE_CAPABILITIES)
        let bits = noRoot | (allowed == 0 ? keepCapsLocked | noAmbient : 0)
        try check(cn_prctl(PR_SET_SECUREBITS, bits), HN_STAGE_CAPABILITIES)
    }

    /// PID 1 before it is sealed: mounting code, changing ids, handing allowed capabilities on, signalling (kill(2) from its
    /// uid 0 to the function's uid needs CAP_KILL, which reaches its own PID namespace only).
    static func keepForService(_ allowed: UInt64) throws(Failure) {
        let kept = allowed | kill | sysAdmin | setuid | setgid | setpcap
        try check(cn_capset(kept, kept, 0), HN_STAGE_CAPABILITIES)
    }

    /// PID 1 after: nothing; or, to go on starting programs, what changing ids and signalling them takes.
    static func keepForSealed(spawning: Bool, _ allowed: UInt64) throws(Failure) {
        let kept = spawning ? allowed | kill | setuid | setgid : 0
        try check(cn_capset(kept, kept, 0), HN_STAGE_CAPABILITIES)
    }
}
