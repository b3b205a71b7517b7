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
    /// What the filter asks of whoever mounts; 0 without one.
    private var mountKey: UInt64 = 0
    private var answers = InlineArray<4, Answer>(repeating: Answer())
    private var answerCount = 0

    /// How long a STARTED may wait for company, in milliseconds.
    private static var patience: Int32 { 1 }

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
        // Before anybody is told that we are ready, what was asked for until then is done: telling wakes hearthd, and the first
        // program would wait for that.
        answer(HP_READY)
        var polled = InlineArray<2, cn_pollfd>(repeating: cn_pollfd())
        polled[0] = cn_pollfd(fd: SandboxInit.control, events: Int16(CN_EPOLLIN), revents: 0)
        polled[1] = cn_pollfd(fd: signals, events: Int16(CN_EPOLLIN), revents: 0)
        while true {
            let isQuiet = serveAll()
            // That a program has started needs no hurry: hearthd, woken for it, would take the processor from that very program, and the
            // answer of a short one comes along with its end.
            let waits = isQuiet && answerCount > 0 && answers[answerCount - 1].op == HP_STARTED
            if !waits { sendAnswers() }
            // With more to do, what it lets go would be touched again at once.
            if isQuiet, !waits { cn_settle() }
            let count = withUnsafeMutablePointer(to: &polled) {
                cn_poll(
                    UnsafeMutableRawPointer($0).assumingMemoryBound(to: cn_pollfd.self), 2, waits ? Self.patience : -1)
            }
            if count == 0 { sendAnswers() }
            guard count > 0, polled[1].revents != 0 else { continue }
            cn_drain_signals(signals)
            reapAll()
        }
    }

    // MARK: Requests

    private enum Served {
        case one
        case nothing
        case end
    }

    /// Serves what waits in the socket; whether that was all, for children are looked after in between.
    private mutating func serveAll() -> Bool {
        for _ in 0..<16 {
            switch serve() {
            case .one: continue
            case .nothing: return true
            // Both hearthd and the nursery have let the socket go: nobody will ever ask again.
            case .end: cn_exit(0)
            }
        }
        return false
    }

    private mutating func serve() -> Served {
        let capacity = Int(HP_MESSAGE_MAX.rawValue)
        // Room for the message and for what a SPAWN builds beside it; untouched pages take no memory.
        guard let memory = cn_service_request(capacity + Spawn.workspace) else { return .end }
        var packet = cn_packet()
        cn_receive(SandboxInit.control, memory, capacity, CN_MSG_DONTWAIT, &packet)
        let length = packet.length
        if length == -Int(CN_EAGAIN) { return .nothing }
        // A packet that was cut, or came with more descriptors than anybody sends, is not from our hearthd: passed over.
        if length == -Int(CN_EINTR) || length == -Int(CN_EPROTO) { return .one }
        guard length > 0 else { return .end }
        let fds = Arrived(packet)
        guard length >= 16, memory.load(as: UInt32.self) == UInt32(HN_MAGIC),
            memory.load(fromByteOffset: 4, as: UInt16.self) == UInt16(HN_VERSION)
        else { return .one }
        let op = hp_op(rawValue: UInt32(memory.load(fromByteOffset: 6, as: UInt16.self)))
        let cookie = memory.load(fromByteOffset: 8, as: UInt32.self)
        do throws(Failure) {
            try handle(op, cookie, memory, length, fds)
        } catch {
            sendAnswers()
            Self.reportFailure(error, of: op, cookie: cookie)
        }
        return .one
    }

    private mutating func handle(
        _ op: hp_op, _ cookie: UInt32, _ memory: UnsafeMutableRawPointer, _ length: Int, _ fds: borrowing Arrived
    ) throws(Failure) {
        if op == HP_SPAWN {
            guard mayspawn else { throw Failure(CN_EPERM, HN_STAGE_SEALED) }
            guard let place = freePlace() else { throw Failure(CN_EAGAIN, HN_STAGE_TABLE) }
            let pid = try Spawn.start(memory, length, fds, rules)
            started[place] = Started(pid: pid, cookie: cookie)
            answer(HP_STARTED, cookie: cookie, process: pid)
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
            answer(HP_BOUND, cookie: cookie)
        case HP_SIGNAL:
            try signal(request)
        case HP_SEAL:
            try seal(request, memory + MemoryLayout<hp_message>.size, length - MemoryLayout<hp_message>.size)
            answer(HP_SEALED, cookie: cookie)
        case HP_FILTER:
            guard !sealed else { throw Failure(CN_EPERM, HN_STAGE_SEALED) }
            guard request.filter_count > 0 else { throw Failure(CN_EINVAL, HN_STAGE_REQUEST) }
            try install(request, memory + MemoryLayout<hp_message>.size, length - MemoryLayout<hp_message>.size)
            mountKey = request.mount_key
            answer(HP_FILTERED, cookie: cookie)
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
            try check(cn_move_mount_keyed(fds.raw(0), place.raw, mountKey), HN_STAGE_ATTACH)
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
        // First the flags: whatever fails afterwards, nothing more can be asked.
        sealed = true
        mountKey = 0
        if request.keep_spawn == 0 { mayspawn = false }
        do throws(Failure) {
            try Capabilities.keepForSealed(spawning: mayspawn, capabilities)
            try install(request, filter, available)
        } catch {
            mayspawn = false
            throw error
        }
    }

    private mutating func install(
        _ request: hp_message, _ filter: UnsafeMutableRawPointer, _ available: Int
    ) throws(Failure) {
        let count = Int(request.filter_count)
        guard count <= Int(HP_FILTER_MAX.rawValue), count * 8 == available else {
            throw Failure(CN_EINVAL, HN_STAGE_REQUEST)
        }
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
                sendAnswers()
                Self.send(message)
            }
        }
    }

    private func freePlace() -> Int? {
        for index in started.indices where started[index].pid == 0 { return index }
        return nil
    }

    // MARK: Messages

    /// An answer that has not been sent yet.
    private struct Answer {
        var op = HP_READY
        var cookie: UInt32 = 0
        var process: Int32 = 0
        var time: Int64 = 0
    }

    /// Remembers an answer until nothing more is there to do: each one wakes hearthd, and what it has asked for already would
    /// wait for that. Its time is that of the deed.
    private mutating func answer(_ op: hp_op, cookie: UInt32 = 0, process: Int32 = 0) {
        if answerCount == answers.count { sendAnswers() }
        answers[answerCount] = Answer(op: op, cookie: cookie, process: process, time: cn_now())
        answerCount += 1
    }

    private mutating func sendAnswers() {
        for index in 0..<answerCount {
            var message = Self.message(answers[index].op, cookie: answers[index].cookie)
            message.process = answers[index].process
            message.time_ns = answers[index].time
            Self.send(message)
        }
        answerCount = 0
    }

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
