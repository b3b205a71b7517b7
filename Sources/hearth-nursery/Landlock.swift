import CNursery
import NurseryABI

/// A second wall beside mounts and capabilities (landlock(7)): what a program may do with files, whatever is mounted how; no
/// abstract socket and no signal to anything outside of what it started itself.
///
/// PID 1 makes one ruleset while it builds the sandbox, since it has every directory open then; each program it starts is
/// restricted by it. A kernel without Landlock has no such wall; `hearth doctor` says so.
struct Landlock {
    /// 0 where the kernel has none.
    let abi: Int

    // LANDLOCK_ACCESS_FS_*, as far as each ABI goes.
    private static let execute: UInt64 = 1 << 0
    private static let writeFile: UInt64 = 1 << 1
    private static let read: UInt64 = 1 << 2 | 1 << 3
    private static let makeDevices: UInt64 = 1 << 6 | 1 << 11
    private static let truncate: UInt64 = 1 << 14
    private static let deviceControl: UInt64 = 1 << 15
    // LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET, LANDLOCK_SCOPE_SIGNAL.
    private static let bothScopes: UInt64 = 3

    static func probe() -> Landlock { Landlock(abi: max(cn_landlock_abi(), 0)) }

    /// Everything that the kernel can restrict.
    private var handled: UInt64 {
        switch abi {
        case 1: (1 << 13) - 1
        case 2: (1 << 14) - 1
        case 3, 4: (1 << 15) - 1
        default: (1 << 16) - 1
        }
    }

    /// A ruleset that allows nothing yet; none where the kernel has no Landlock.
    func ruleset() throws(Failure) -> Ruleset {
        guard abi > 0 else { return Ruleset(raw: -1, handled: 0) }
        let fd = try check(cn_landlock_create(handled, abi >= 6 ? Self.bothScopes : 0), HN_STAGE_LANDLOCK)
        return Ruleset(raw: fd, handled: handled)
    }

    struct Ruleset {
        let raw: Int32
        fileprivate let handled: UInt64

        /// The image and all that is mounted in it: read and execute.
        func allowReading(beneath directory: Int32) throws(Failure) {
            try allow(Landlock.execute | Landlock.read, directory)
        }

        /// Scratch space: all but device nodes, which would be another door to the node's devices.
        func allowScratch(beneath directory: Int32) throws(Failure) {
            try allow(~(Landlock.makeDevices | Landlock.deviceControl), directory)
        }

        /// Devices and terminals: used, not made.
        func allowDevices(beneath directory: Int32) throws(Failure) {
            try allow(Landlock.read | Landlock.writeFile | Landlock.truncate | Landlock.deviceControl, directory)
        }

        /// The terminal that a program is given lies on the node's devpts: /dev/stderr must open it again.
        func allowTerminal(_ fd: Int32) throws(Failure) {
            try allow(1 << 2 | Landlock.writeFile | Landlock.deviceControl, fd)
        }

        func restrict() throws(Failure) {
            guard raw >= 0 else { return }
            try check(cn_landlock_restrict(raw), HN_STAGE_LANDLOCK)
        }

        private func allow(_ access: UInt64, _ place: Int32) throws(Failure) {
            guard raw >= 0 else { return }
            try check(cn_landlock_allow(raw, place, access & handled), HN_STAGE_LANDLOCK)
        }
    }
}
