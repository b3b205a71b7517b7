import CNursery
import NurseryABI

/// Starting a program: everything is laid out by PID 1, and the child only makes system calls.
///
/// The child borrows PID 1's memory (CLONE_VM | CLONE_VFORK): no page table is copied, and an exec that failed leaves its
/// reason where the parent reads it. PID 1 has one thread and no allocator, so nothing can be caught half way.
struct Spawn {
    /// Beside the message: pointers of arguments and variables, and a buffer for the program's path.
    static var workspace: Int { (maximumStrings + 8) * MemoryLayout<UInt>.size + 4096 + 16 }
    private static var maximumStrings: Int { 2048 }
    /// Asserted in NurseryABI; key paths do not exist in Embedded Swift.
    private static var rlimitsOffset: Int { 56 }
    private static var first: Int32 { 32 }

    private var uid: UInt32
    private var gid: UInt32
    private var capabilities: UInt64
    private var flags: UInt32
    private var fds = InlineArray<8, Int32>(repeating: -1)
    private var fdCount: Int
    private var directory: UnsafePointer<CChar>
    private var searchPath: UnsafePointer<CChar>
    private var program: UnsafePointer<CChar>
    private var argv: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
    private var envp: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
    private var filter: UnsafeRawPointer
    private var filterCount: UInt16
    private var rlimits: UnsafePointer<hp_rlimit>
    private var rlimitCount: Int
    private var buffer: UnsafeMutablePointer<CChar>
    private let rules: Landlock.Ruleset
    /// What the child found; read by the parent after vfork.
    private var failure: Failure?

    /// Starts what the message in `memory` describes; `workspace` bytes follow it. Returns the pid.
    static func start(
        _ memory: UnsafeMutableRawPointer, _ length: Int, _ arrived: borrowing Arrived, _ rules: Landlock.Ruleset
    ) throws(Failure) -> Int32 {
        var plan = try Spawn(memory, length, arrived, rules)
        let pid = withUnsafeMutablePointer(to: &plan) {
            cn_vfork_call({ Spawn.child($0) }, $0, cn_vfork_stack_top())
        }
        try check(pid, HN_STAGE_CLONE)
        if let failure = plan.failure { throw failure }
        return Int32(pid)
    }

    // MARK: Parsing

    private init(
        _ memory: UnsafeMutableRawPointer, _ length: Int, _ arrived: borrowing Arrived, _ rules: Landlock.Ruleset
    ) throws(Failure) {
        self.rules = rules
        let bad = Failure(CN_EINVAL, HN_STAGE_REQUEST)
        let headerSize = MemoryLayout<hp_spawn>.size
        guard length >= headerSize else { throw bad }
        let header = memory.load(as: hp_spawn.self)
        let stringsBytes = Int(header.strings_bytes)
        let count = Int(header.argc) + Int(header.envc)
        guard stringsBytes <= Int(HP_STRINGS_MAX.rawValue), header.filter_count <= UInt32(HP_FILTER_MAX.rawValue),
            header.argc >= 1, header.argc <= 1024, header.envc <= 1024, count <= Self.maximumStrings,
            header.rlimit_count <= UInt32(HP_SPAWN_RLIMITS.rawValue),
            header.descriptors <= UInt32(HP_SPAWN_FDS.rawValue), Int(header.descriptors) == arrived.count,
            header.uid < UInt32(HN_ID_RANGE.rawValue), header.gid < UInt32(HN_ID_RANGE.rawValue),
            header.capabilities >> 41 == 0, header.flags & HP_SPAWN_TTY.rawValue == 0 || header.descriptors > 0,
            header.flags & ~(HP_SPAWN_TTY.rawValue | HP_SPAWN_SEARCH_PATH.rawValue) == 0
        else { throw bad }
        let filterOffset = (headerSize + stringsBytes + 7) & ~7
        guard filterOffset + Int(header.filter_count) * 8 == length else { throw bad }

        uid = header.uid
        gid = header.gid
        capabilities = header.capabilities
        flags = header.flags
        fdCount = arrived.count
        for index in 0..<arrived.count { fds[index] = arrived.raw(index) }
        filter = UnsafeRawPointer(memory + filterOffset)
        filterCount = UInt16(header.filter_count)
        rlimits = UnsafeRawPointer(memory + Self.rlimitsOffset)
            .assumingMemoryBound(to: hp_rlimit.self)
        rlimitCount = Int(header.rlimit_count)
        // RLIM_NLIMITS of every kernel so far.
        for index in 0..<rlimitCount where rlimits[index].resource >= 16 { throw bad }

        // Cut the strings apart: each must end with a NUL inside its block.
        let strings = (memory + headerSize).assumingMemoryBound(to: CChar.self)
        let pointers = (memory + ((length + 15) & ~15)).assumingMemoryBound(to: UnsafeMutablePointer<CChar>?.self)
        var position = 0
        func next() throws(Failure) -> UnsafeMutablePointer<CChar> {
            let start = strings + position
            guard let size = boundedLength(start, stringsBytes - position) else { throw bad }
            position += size + 1
            return start
        }
        directory = UnsafePointer(try next())
        searchPath = UnsafePointer(try next())
        program = UnsafePointer(try next())
        argv = pointers
        for index in 0..<Int(header.argc) { pointers[index] = try next() }
        pointers[Int(header.argc)] = nil
        envp = pointers + Int(header.argc) + 1
        for index in 0..<Int(header.envc) { envp[index] = try next() }
        envp[Int(header.envc)] = nil
        guard position == stringsBytes else { throw bad }
        buffer = UnsafeMutableRawPointer(envp + Int(header.envc) + 1).assumingMemoryBound(to: CChar.self)
    }

    // MARK: The child

    private static func child(_ raw: UnsafeMutableRawPointer?) {
        guard let plan = raw?.assumingMemoryBound(to: Spawn.self) else { cn_exit(127) }
        do throws(Failure) {
            try plan.pointee.become()
        } catch {
            plan.pointee.failure = error
        }
        cn_exit(127)
    }

    /// The steps from PID 1's child to the program, in the order that leaves each the privilege it needs.
    private func become() throws(Failure) {
        // 0. Landlock, while its ruleset is still open. None of the steps below needs what it takes away.
        if flags & HP_SPAWN_TTY.rawValue != 0 { try rules.allowTerminal(fds[0]) }
        try rules.restrict()

        // 1. Exactly the descriptors that were sent, as 0, 1, 2, ...: everything else is closed, PID 1's socket first of all.
        for index in 0..<fdCount {
            try check(cn_dup_above(fds[index], Self.first + Int32(index)), HN_STAGE_DESCRIPTORS)
        }
        for index in 0..<fdCount {
            try check(cn_dup3(Self.first + Int32(index), Int32(index), 0), HN_STAGE_DESCRIPTORS)
        }
        try check(cn_close_range(UInt32(fdCount), ~0, 0), HN_STAGE_DESCRIPTORS)

        // 2. A session of its own: a signal to the group reaches its descendants, and no terminal but the one it is given.
        _ = cn_setsid()
        // TIOCSCTTY
        if flags & HP_SPAWN_TTY.rawValue != 0 { try check(cn_ioctl(0, 0x540e, nil), HN_STAGE_DESCRIPTORS) }

        // 3. Limits, while raising a hard one is still allowed.
        for index in 0..<rlimitCount {
            let limit = rlimits[index]
            try check(cn_setrlimit(Int32(limit.resource), limit.soft, limit.hard), HN_STAGE_RLIMITS)
        }

        // 4. Ids, groups first. With capabilities to hand on, they survive the change and become ambient; else the change
        //    itself empties every set, and capset says so once more for uid 0.
        if capabilities != 0 { try check(cn_prctl(PR_SET_KEEPCAPS, 1), HN_STAGE_CAPABILITIES) }
        try check(cn_setgroups_none(), HN_STAGE_CREDENTIALS)
        try check(cn_setresgid(gid), HN_STAGE_CREDENTIALS)
        try check(cn_setresuid(uid), HN_STAGE_CREDENTIALS)
        try check(cn_capset(capabilities, capabilities, capabilities), HN_STAGE_CAPABILITIES)
        for bit in 0..<41 as Range<UInt> where capabilities & (1 << UInt64(bit)) != 0 {
            try check(cn_prctl2(PR_CAP_AMBIENT, UInt(PR_CAP_AMBIENT_RAISE), bit), HN_STAGE_CAPABILITIES)
        }

        // 5. The directory under the new ids, and that it really is inside the root (CVE-2024-21626's last check).
        try check(cn_chdir(directory), HN_STAGE_DIRECTORY)
        guard cn_getcwd(buffer, 4096) > 0, buffer[0] == 47 else { throw Failure(CN_ENOENT, HN_STAGE_DIRECTORY) }

        // 6. Signals as a new program expects them. PID 1 has no handlers; its mask is inherited.
        _ = cn_clear_signal_mask()

        // 7. The filter last: nothing above needs to be allowed by it. no_new_privs is inherited from PID 1.
        if filterCount > 0 { try check(cn_set_filter(filter, filterCount), HN_STAGE_FILTER) }

        if flags & HP_SPAWN_SEARCH_PATH.rawValue != 0 { try executeAlongPath() }
        try check(cn_execve(program, argv, envp), HN_STAGE_EXEC)
    }

    /// execvp(3): the first directory that has the program; EACCES is remembered while others are tried.
    private func executeAlongPath() throws(Failure) {
        var remembered = CN_ENOENT
        var start = searchPath
        while true {
            var length = 0
            while start[length] != 0, start[length] != 58 { length += 1 }
            var size = 0
            while program[size] != 0 { size += 1 }
            if length > 0, length + size + 2 <= 4096 {
                for index in 0..<length { buffer[index] = start[index] }
                buffer[length] = 47
                for index in 0...size { buffer[length + 1 + index] = program[index] }
                let result = cn_execve(buffer, argv, envp)
                if result == -Int(CN_EACCES) {
                    remembered = CN_EACCES
                } else if result != -Int(CN_ENOENT), result != -20 {  // ENOTDIR
                    try check(result, HN_STAGE_EXEC)
                }
            }
            if start[length] == 0 { throw Failure(Int32(remembered), HN_STAGE_EXEC) }
            start += length + 1
        }
    }
}
