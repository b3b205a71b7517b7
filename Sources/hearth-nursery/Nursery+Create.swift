import CNursery
import NurseryABI

/// The birth of a sandbox, seen from the parent.
extension Nursery {
    mutating func create(_ request: inout hn_request, _ fds: inout Arrived, received: Int64) throws(Failure) {
        let plan = try BirthPlan(request)
        guard fds.count == 3 else { throw Failure(CN_EINVAL, HN_STAGE_REQUEST) }
        guard sandboxes.isFree(request.slot) else { throw Failure(CN_EEXIST, HN_STAGE_TABLE) }

        let root = try images.take(request.image)
        Fault.reach(HN_FAULT_IMAGE, plan, self)
        try networks.enter()
        Fault.reach(HN_FAULT_NETWORK, plan, self)

        // The child shares this descriptor table (CLONE_FILES) and leaves it with CLOSE_RANGE_UNSHARE, which copies only
        // the few low descriptors it keeps: with 2,000 sandboxes a full copy would be 6,000 references taken and dropped.
        try check(cn_dup3(fds.raw(0), Self.childSocket, 0), HN_STAGE_DESCRIPTORS)
        try check(cn_dup3(root.raw, Self.childRoot, 0), HN_STAGE_DESCRIPTORS)
        try check(cn_dup3(ownPidfd.raw, Self.childParent, 0), HN_STAGE_DESCRIPTORS)
        // The places stay taken, so that no received descriptor ever gets one of their numbers.
        defer {
            _ = cn_dup3(ownPidfd.raw, Self.childSocket, 0)
            _ = cn_dup3(ownPidfd.raw, Self.childRoot, 0)
        }

        Fault.reach(HN_FAULT_PLACES, plan, self)
        births &+= 1
        let generation = births
        var pidfd: Int32 = -1
        var arguments = clone_args()
        arguments.flags = cn_clone_flags()
        arguments.exit_signal = UInt64(CN_SIGCHLD)
        arguments.cgroup = UInt64(UInt32(bitPattern: fds.raw(2)))
        try mounts.enterNest()
        Fault.reach(HN_FAULT_NEST, plan, self)
        let pid = withUnsafeMutablePointer(to: &pidfd) {
            arguments.pidfd = UInt64(UInt(bitPattern: $0))
            return cn_clone3(&arguments)
        }
        if pid == 0 { SandboxInit.run(plan, kernel, gate: gate, generation: generation) }
        guard pid > 0 else {
            try mounts.enterLibrary()
            throw Failure(Int32(-pid), HN_STAGE_CLONE)
        }
        let handle = FD(pidfd)
        let cloned = cn_now()
        Fault.reach(HN_FAULT_CLONED, plan, self)
        do throws(Failure) {
            // The child needs its ids next, so they come first; everything else can wait. The nest has a /proc too.
            try writeIDMaps(pid: Int32(pid), firstID: plan.firstID)
            Fault.reach(HN_FAULT_MAPPED, plan, self)
            gate.open(generation)
            try mounts.enterLibrary()
            Fault.reach(HN_FAULT_LIBRARY, plan, self)
            let high = FD(try check(cn_dup_above(handle.raw, Self.firstFree), HN_STAGE_TABLE))
            var slot = Slot()
            slot.sandbox = request.sandbox
            slot.pid = Int32(pid)
            slot.image = request.image
            slot.tag = Self.tag(of: request)
            guard gate.waitSeparated(generation, child: handle.raw) else { throw Failure(CN_ESRCH, HN_STAGE_CLONE) }
            slot.agentEnd = try fds.take(1, above: Self.firstFree)
            let registered = high.raw
            slot.pidfd = high.release()
            sandboxes.insert(slot, at: request.slot)
            Fault.reach(HN_FAULT_LISTED, plan, self)
            try check(cn_epoll_add(epoll.raw, registered, Self.firstSlotToken + UInt64(request.slot)), HN_STAGE_TABLE)
        } catch {
            try? mounts.enterLibrary()
            abandon(pid: Int32(pid), pidfd: handle.raw, slot: request.slot, sandbox: request.sandbox)
            throw error
        }

        Fault.reach(HN_FAULT_WATCHED, plan, self)
        var reply = Reply.make(HN_CREATE, cookie: request.cookie)
        reply.sandbox = request.sandbox
        reply.slot = request.slot
        reply.pid = Int32(pid)
        reply.received_ns = received
        reply.cloned_ns = cloned
        send(reply, [handle.raw, -1, -1, -1, -1, -1], count: 1)
    }

    /// A birth that failed half way: nobody has heard of it, so it is ended and reaped here and now.
    private mutating func abandon(pid: Int32, pidfd: Int32, slot: UInt32, sandbox: UInt64) {
        _ = cn_pidfd_kill(pidfd, CN_SIGKILL)
        var poll = cn_pollfd(fd: pidfd, events: Int16(CN_EPOLLIN), revents: 0)
        _ = cn_poll(&poll, 1, 10_000)
        var status: Int32 = 0
        var usage = cn_usage()
        _ = cn_reap(pid, &status, &usage)
        if sandboxes.find(slot, sandbox: sandbox) != nil { sandboxes.remove(Int(slot)) }
    }

    /// uid_map and gid_map: inside 0 ..< 65536, outside the slot's own range. Host ids, root above all, are not in it.
    private func writeIDMaps(pid: Int32, firstID: UInt32) throws(Failure) {
        var line = ShortText()
        line.append("0 ")
        line.append(UInt64(firstID))
        line.append(" ")
        line.append(UInt64(HN_ID_RANGE.rawValue))
        let names: [2 of StaticString] = ["/uid_map", "/gid_map"]
        for index in names.indices {
            var file = ShortText()
            file.append("/proc/")
            file.append(UInt64(pid))
            file.append(names[index])
            let fd = FD(
                try file.withPath { (file) throws(Failure) in
                    try check(cn_openat(CN_AT_FDCWD, file, CN_O_WRONLY, 0), HN_STAGE_ID_MAP)
                })
            let count = line.count
            _ = try line.withPath { (text) throws(Failure) in
                try check(cn_write(fd.raw, text, count), HN_STAGE_ID_MAP)
            }
        }
    }
}

/// What the child needs of a request, checked before anything is made.
struct BirthPlan {
    let firstID: UInt32
    let tmpBytes: UInt64
    let tmpInodes: UInt32
    let shmBytes: UInt64
    let capabilities: UInt64
    let devpts: Bool
    let hostname: ShortText
    /// The step to stop at; 0 for none.
    let fault: UInt32

    init(_ request: hn_request) throws(Failure) {
        let bad = Failure(CN_EINVAL, HN_STAGE_REQUEST)
        guard request.slot < UInt32(HN_MAX_SANDBOXES.rawValue), request.sandbox != 0,
            request.flags & ~(HN_CREATE_DEVPTS.rawValue | (request.fault == 0 ? 0 : Fault.flag)) == 0,
            request.tmp_bytes <= 1 << 46, request.shm_bytes <= 1 << 46, request.capabilities >> 41 == 0
        else { throw bad }
        firstID = UInt32(HN_FIRST_ID) + request.slot * UInt32(HN_ID_RANGE.rawValue)
        tmpBytes = max(request.tmp_bytes, 4096)
        // Zero would mean "no limit" to tmpfs.
        tmpInodes = max(request.tmp_inodes, 2)
        shmBytes = max(request.shm_bytes, 4096)
        capabilities = request.capabilities
        devpts = request.flags & HN_CREATE_DEVPTS.rawValue != 0
        var name = ShortText()
        var copy = request.hostname
        try withUnsafePointer(to: &copy) { (tuple) throws(Failure) in
            let text = UnsafeRawPointer(tuple).assumingMemoryBound(to: CChar.self)
            guard let length = boundedLength(text, Int(HN_HOST_MAX.rawValue)) else { throw bad }
            for index in 0..<length {
                switch text[index] {
                case 97...122, 65...90, 48...57, 45, 46: name.append(byte: UInt8(text[index]))
                default: throw bad
                }
            }
        }
        hostname = name
        fault = request.fault
    }
}
