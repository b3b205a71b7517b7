import CNursery
import NurseryABI

/// The nursery's loop: one hearthd at a time, and the deaths of sandboxes.
struct Nursery: ~Copyable {
    static let listener: Int32 = 3
    /// Descriptors that a child of the shared table finds at fixed places; see `create`.
    static let childSocket: Int32 = 4
    static let childRoot: Int32 = 5
    static let childParent: Int32 = 6
    static let firstFree: Int32 = 16

    /// Tokens of epoll: small numbers for our own descriptors, slots above.
    static let listenerToken: UInt64 = 0
    static let connectionToken: UInt64 = 1
    static let firstSlotToken: UInt64 = 16

    let mounts: MountNamespaces
    let kernel: KernelFeatures
    var networks: NetworkPool
    var images = ImageTemplates()
    var sandboxes: SandboxTable
    let epoll: FD
    let ownPidfd: FD
    let gate: BirthGate
    let lingerMilliseconds: Int32
    /// Whose hearthd it serves, beside root's.
    let user: UInt32
    var connection: Int32 = -1
    var births: UInt32 = 0

    static func start(
        mounts: consuming MountNamespaces, linger: Int, networks: NetworkPool, user: UInt32
    ) throws(Failure) -> Nursery {
        let epoll = try FD(try check(cn_epoll_create(), HN_STAGE_TABLE)).raised()
        let ownPidfd = try FD(try check(cn_pidfd_open(Int32(cn_getpid())), HN_STAGE_TABLE)).raised()
        // Never free, so that no descriptor that arrives gets one of their numbers.
        for place in childSocket...childParent { try check(cn_dup3(ownPidfd.raw, place, 0), HN_STAGE_TABLE) }
        try check(cn_epoll_add(epoll.raw, listener, listenerToken), HN_STAGE_TABLE)
        let sandboxes = try SandboxTable.allocate()
        let gate = try BirthGate.allocate()
        return Nursery(
            mounts: mounts, kernel: .probe(), networks: networks, sandboxes: sandboxes, epoll: epoll,
            ownPidfd: ownPidfd, gate: gate,
            lingerMilliseconds: Int32(clamping: min(linger, 2_000_000)) &* 1000, user: user)
    }

    mutating func run() {
        var idleSince = cn_now()
        var isQuiet = false
        while true {
            var token: UInt64 = 0
            let ready = cn_epoll_wait(epoll.raw, &token, timeout(isQuiet))
            isQuiet = ready == 0
            if ready == 0 {
                if connection < 0, cn_now() - idleSince >= Int64(lingerMilliseconds) * 1_000_000 {
                    log("no hearthd came back in time: ending every sandbox")
                    shutdown()
                } else if images.needsSpare {
                    do throws(Failure) { try images.refill() } catch { log("no copy of an image", error.error) }
                } else if networks.wantsMore {
                    do throws(Failure) { try networks.refill() } catch { log("no network namespace", error.error) }
                }
                cn_release_stack()
                continue
            }
            guard ready > 0 else { continue }
            switch token {
            case Self.listenerToken:
                accept()
            case Self.connectionToken:
                if !serve() {
                    disconnect()
                    idleSince = cn_now()
                }
            default:
                buried(Int(token - Self.firstSlotToken))
            }
        }
    }

    /// Work that nobody waits for begins after 2 ms of quiet, so that it delays no creation of a burst, and then goes on until
    /// somebody asks for something.
    private func timeout(_ isQuiet: Bool) -> Int32 {
        if networks.wantsMore || images.needsSpare { return isQuiet ? 0 : 2 }
        if connection < 0 {
            return networks.isPausing ? min(max(lingerMilliseconds, 1), 1000) : max(lingerMilliseconds, 1)
        }
        return networks.isPausing ? 1000 : -1
    }

    private mutating func accept() {
        let fd = cn_accept(Self.listener)
        guard fd >= 0 else { return }
        // The socket's mode keeps others out; this holds where somebody has opened it up.
        let peer = cn_peer_uid(Int32(fd))
        guard peer == 0 || peer == Int(user) else {
            log("refused a connection of a user that is neither root nor hearthd's")
            _ = cn_close(Int32(fd))
            return
        }
        let high = cn_dup_above(Int32(fd), Self.firstFree)
        _ = cn_close(Int32(fd))
        guard high >= 0 else { return }
        connection = Int32(high)
        // The next hearthd waits in the backlog until this one has gone: two masters would confuse each other's sandboxes.
        _ = cn_epoll_del(epoll.raw, Self.listener)
        _ = cn_epoll_add(epoll.raw, connection, Self.connectionToken)
    }

    private mutating func disconnect() {
        _ = cn_epoll_del(epoll.raw, connection)
        _ = cn_close(connection)
        connection = -1
        _ = cn_epoll_add(epoll.raw, Self.listener, Self.listenerToken)
    }

    /// PID 1 of a slot has ended, and with it everything in its PID namespace.
    private mutating func buried(_ index: Int) {
        guard let slot = sandboxes.used(index) else { return }
        var status: Int32 = 0
        var usage = cn_usage()
        guard cn_reap(slot.pointee.pid, &status, &usage) > 0 else { return }
        var reply = Reply.make(HN_EXITED, cookie: 0)
        reply.sandbox = slot.pointee.sandbox
        reply.slot = UInt32(index)
        reply.exit_status = status
        reply.user_us = usage.user_us
        reply.system_us = usage.system_us
        // Only the last close of every copy ends an epoll registration, and hearthd has a copy.
        _ = cn_epoll_del(epoll.raw, slot.pointee.pidfd)
        sandboxes.remove(index)
        send(reply)
    }

    /// Sends a reply with descriptors; a hearthd that is gone is noticed by the next receive.
    func send(_ reply: hn_reply, _ fds: InlineArray<6, Int32> = .init(repeating: -1), count: Int = 0) {
        guard connection >= 0 else { return }
        var copy = reply
        var list = fds
        _ = withUnsafePointer(to: &list) {
            cn_send(
                connection, &copy, MemoryLayout<hn_reply>.size,
                UnsafeRawPointer($0).assumingMemoryBound(to: Int32.self), Int32(count), 0)
        }
    }

    /// Ends every sandbox, and itself. PID 1 carries PDEATHSIG, so even a nursery killed with SIGKILL leaves nobody behind.
    func shutdown() -> Never {
        for index in 0..<SandboxTable.capacity {
            if let slot = sandboxes.used(index) { _ = cn_pidfd_kill(slot.pointee.pidfd, CN_SIGKILL) }
        }
        cn_exit(0)
    }
}

/// What the kernel has of the defences that not every kernel has; looked up once.
struct KernelFeatures {
    let landlock: Landlock
    let masks: ProcMasks

    static func probe() -> KernelFeatures { KernelFeatures(landlock: .probe(), masks: .probe()) }
}

/// Replies with their fixed fields.
enum Reply {
    static func make(_ op: hn_op, cookie: UInt64) -> hn_reply {
        var reply = hn_reply()
        reply.magic = UInt32(HN_MAGIC)
        reply.version = UInt16(HN_VERSION)
        reply.op = UInt16(op.rawValue)
        reply.cookie = cookie
        return reply
    }
}
