import CNursery
import NurseryABI

/// PID 1 at work: binds code, starts processes, reaps every child, reports ends, seals itself.
struct InitServer {
    let signals: Int32
    /// What Landlock lets a program do; each is restricted before anything of it runs.
    private let rules: Landlock.Ruleset
    private let capabilities: UInt64
    private var started = InlineArray<16, Started>(repeating: Started())
    private var sealed = false
    private var mayspawn = true

    /// A process that hearthd asked for; orphans are reaped without a word.
    private struct Started {
        var pid: Int32 = 0
        var cookie: UInt32 = 0
    }

    init(signals: Int32, rules: Landlock.Ruleset, capabilities: UInt64) {
        self.signals = signals
        self.rules = rules
        self.capabilities = capabilities
    }

    mutating func run() -> Never {
        // What was asked for before we were ready is done before anybody is told that we are: telling wakes hearthd, and the first
        // program would wait for that.
        let ready = Self.message(HP_READY)
        while cn_is_readable(SandboxInit.control) > 0 {
            if !serve() { cn_exit(0) }
        }
        Self.send(ready)
        var polled = InlineArray<2, cn_pollfd>(repeating: cn_pollfd())
        polled[0] = cn_pollfd(fd: SandboxInit.control, events: Int16(CN_EPOLLIN), revents: 0)
        polled[1] = cn_pollfd(fd: signals, events: Int16(CN_EPOLLIN), revents: 0)
        while true {
            // With more to do, what it lets go would be touched again at once.
            if cn_is_readable(SandboxInit.control) <= 0 { cn_settle() }
            let count = withUnsafeMutablePointer(to: &polled) {
                cn_poll(UnsafeMutableRawPointer($0).assumingMemoryBound(to: cn_pollfd.self), 2, -1)
            }
            guard count > 0 else { continue }
            if polled[1].revents != 0 {
                cn_drain_signals(signals)
                reapAll()
            }
            if polled[0].revents != 0, !serve() {
                // Both hearthd and the nursery have let the socket go: nobody will ever ask again.
                cn_exit(0)
            }
        }
    }

    // MARK: Requests

    /// One request; false at the end of the stream.
    private mutating func serve() -> Bool {
        let length = cn_next_length(SandboxInit.control)
        if length == 0 { return false }
        if length < 0 { return length == -Int(CN_EINTR) || length == -Int(CN_EAGAIN) }
        guard length <= Int(HP_MESSAGE_MAX.rawValue) else {
            // A packet that long is not from our hearthd; there is no way on.
            return false
        }
        // Room for the message and for what a SPAWN builds beside it; given back at once, so PID 1 stays small.
        let capacity = length + Spawn.workspace
        let address = cn_mmap(capacity, 0)
        guard address > 0, let memory = UnsafeMutableRawPointer(bitPattern: address) else { return false }
        defer { _ = cn_munmap(memory, capacity) }
        var packet = cn_packet()
        cn_receive(SandboxInit.control, memory, length, 0, &packet)
        if packet.length == 0 { return false }
        let fds = Arrived(packet)
        guard packet.length == length, length >= 16,
            memory.load(as: UInt32.self) == UInt32(HN_MAGIC),
            memory.load(fromByteOffset: 4, as: UInt16.self) == UInt16(HN_VERSION)
        else { return true }
        let op = hp_op(rawValue: UInt32(memory.load(fromByteOffset: 6, as: UInt16.self)))
        let cookie = memory.load(fromByteOffset: 8, as: UInt32.self)
        do throws(Failure) {
            try handle(op, cookie, memory, length, fds)
        } catch {
            Self.reportFailure(error, of: op, cookie: cookie)
        }
        return true
    }

    private mutating func handle(
        _ op: hp_op, _ cookie: UInt32, _ memory: UnsafeMutableRawPointer, _ length: Int, _ fds: borrowing Arrived
    ) throws(Failure) {
        if op == HP_SPAWN {
            guard mayspawn else { throw Failure(CN_EPERM, HN_STAGE_SEALED) }
            guard let place = freePlace() else { throw Failure(CN_EAGAIN, HN_STAGE_TABLE) }
            var message = Self.message(HP_STARTED, cookie: cookie)
            let pid = try Spawn.start(memory, length, fds, rules)
            started[place] = Started(pid: pid, cookie: cookie)
            message.process = pid
            message.time_ns = cn_now()
            Self.send(message)
            return
        }
        guard length >= MemoryLayout<hp_message>.size else { throw Failure(CN_EINVAL, HN_STAGE_REQUEST) }
        let request = memory.load(as: hp_message.self)
        switch op {
        case HP_BIND:
            guard !sealed else { throw Failure(CN_EPERM, HN_STAGE_SEALED) }
            do throws(Failure) {
                try bind(request, fds)
            } catch {
                // What is asked for next may be in the socket already, and counts on the mount: none of it runs.
                mayspawn = false
                throw error
            }
            Self.send(Self.message(HP_BOUND, cookie: cookie))
        case HP_SIGNAL:
            try signal(request)
        case HP_SEAL:
            try seal(request, memory + MemoryLayout<hp_message>.size, length - MemoryLayout<hp_message>.size)
            Self.send(Self.message(HP_SEALED, cookie: cookie))
        default:
            throw Failure(CN_ENOSYS, HN_STAGE_REQUEST)
        }
    }

    /// Attaches a detached mount at an absolute path of the sandbox, no link followed.
    private func bind(_ request: hp_message, _ fds: borrowing Arrived) throws(Failure) {
        guard fds.count == 1 else { throw Failure(CN_EINVAL, HN_STAGE_REQUEST) }
        var target = request.target
        try withUnsafePointer(to: &target) { (tuple) throws(Failure) in
            let text = UnsafeRawPointer(tuple).assumingMemoryBound(to: CChar.self)
            guard let length = boundedLength(text, Int(HP_TARGET_MAX.rawValue)), length > 1, text[0] == 47 else {
                throw Failure(CN_EINVAL, HN_STAGE_TARGET)
            }
            let root = FD(try check(cn_openat(CN_AT_FDCWD, path("/"), Int32(CN_O_PATH), 0), HN_STAGE_TARGET))
            let flags = CN_O_PATH | CN_O_DIRECTORY
            let place = FD(try check(cn_openat2(root.raw, text + 1, flags, CN_RESOLVE_STRICT), HN_STAGE_TARGET))
            try check(cn_move_mount(fds.raw(0), place.raw, path("")), HN_STAGE_ATTACH)
        }
    }

    private func signal(_ request: hp_message) throws(Failure) {
        guard request.signal >= 0, request.signal <= 64 else { throw Failure(CN_EINVAL, HN_STAGE_REQUEST) }
        if request.process == 0 {
            // kill(-1) reaches everything in the namespace but ourselves.
            let result = cn_kill(-1, request.signal)
            if result < 0, result != -Int(CN_ESRCH) { try check(result, HN_STAGE_REQUEST) }
            return
        }
        for index in started.indices where started[index].pid == request.process && request.process > 1 {
            try check(cn_kill(request.process, request.signal), HN_STAGE_REQUEST)
            return
        }
        throw Failure(CN_ESRCH, HN_STAGE_REQUEST)
    }

    private mutating func seal(
        _ request: hp_message, _ filter: UnsafeMutableRawPointer, _ available: Int
    ) throws(Failure) {
        let count = Int(request.filter_count)
        guard count <= Int(HP_FILTER_MAX.rawValue), count * 8 == available else {
            throw Failure(CN_EINVAL, HN_STAGE_REQUEST)
        }
        // First the flags: whatever fails afterwards, nothing more can be asked.
        sealed = true
        if request.keep_spawn == 0 { mayspawn = false }
        try Capabilities.keepForSealed(spawning: mayspawn, capabilities)
        guard count > 0 else { return }
        let result = cn_set_filter(filter, UInt16(count))
        // What is started from here on counts on inheriting the filter: without it, nothing is.
        if result < 0 { mayspawn = false }
        try check(result, HN_STAGE_FILTER)
    }

    // MARK: Children

    private mutating func reapAll() {
        while true {
            var status: Int32 = 0
            var usage = cn_usage()
            let pid = cn_reap(-1, &status, &usage)
            guard pid > 0 else { return }
            for index in started.indices where started[index].pid == Int32(pid) {
                var message = Self.message(HP_EXITED, cookie: started[index].cookie)
                message.process = Int32(pid)
                message.exit_status = status
                message.user_us = usage.user_us
                message.system_us = usage.system_us
                message.max_rss_kib = usage.max_rss_kib
                started[index] = Started()
                Self.send(message)
            }
        }
    }

    private func freePlace() -> Int? {
        for index in started.indices where started[index].pid == 0 { return index }
        return nil
    }

    // MARK: Messages

    private static func message(_ op: hp_op, cookie: UInt32 = 0) -> hp_message {
        var message = hp_message()
        message.magic = UInt32(HN_MAGIC)
        message.version = UInt16(HN_VERSION)
        message.op = UInt16(op.rawValue)
        message.cookie = cookie
        message.time_ns = cn_now()
        return message
    }

    private static func send(_ message: hp_message) {
        var copy = message
        // Blocks when hearthd does not read: better than losing an exit.
        _ = cn_send(SandboxInit.control, &copy, MemoryLayout<hp_message>.size, nil, 0, 0)
    }

    static func reportFailure(_ failure: Failure, of op: hp_op, cookie: UInt32) {
        var message = Self.message(HP_FAILED, cookie: cookie)
        message.failed_op = op.rawValue
        message.error = failure.error
        message.stage = failure.stage.rawValue
        send(message)
    }
}
