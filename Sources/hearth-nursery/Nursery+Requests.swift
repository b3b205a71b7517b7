import CNursery
import NurseryABI

/// The requests of hearthd. Every field is checked as if hearthd were hostile: it names images and code by one path
/// component beneath directories fixed at start, slots within the table, and nothing else of the host.
extension Nursery {
    /// Takes one request; false when hearthd has gone.
    mutating func serve() -> Bool {
        var request = hn_request()
        var packet = cn_packet()
        cn_receive(connection, &request, MemoryLayout<hn_request>.size, 0, &packet)
        if packet.length == 0 { return false }
        if packet.length < 0 { return packet.length == -Int(CN_EINTR) || packet.length == -Int(CN_EPROTO) }
        let received = cn_now()
        var fds = Arrived(packet)
        guard packet.length == MemoryLayout<hn_request>.size, request.magic == UInt32(HN_MAGIC),
            request.version == UInt16(HN_VERSION), Fault.isAllowed(request)
        else {
            refuse(request, Failure(CN_EPROTO, HN_STAGE_REQUEST))
            return true
        }
        do throws(Failure) {
            try handle(&request, &fds, received: received)
        } catch {
            refuse(request, error)
        }
        return true
    }

    private func refuse(_ request: hn_request, _ failure: Failure) {
        var reply = hn_reply()
        reply.magic = UInt32(HN_MAGIC)
        reply.version = UInt16(HN_VERSION)
        reply.op = request.op
        reply.cookie = request.cookie
        reply.sandbox = request.sandbox
        reply.slot = request.slot
        reply.error = failure.error
        reply.stage = failure.stage.rawValue
        send(reply)
    }

    private mutating func handle(
        _ request: inout hn_request, _ fds: inout Arrived, received: Int64
    ) throws(Failure) {
        switch hn_op(rawValue: UInt32(request.op)) {
        case HN_HELLO:
            var reply = Reply.make(HN_HELLO, cookie: request.cookie)
            reply.more = sandboxes.count
            reply.networks = UInt32(networks.count)
            reply.pid = Int32(cn_getpid())
            send(reply)
        case HN_IMAGE:
            var reply = Reply.make(HN_IMAGE, cookie: request.cookie)
            let host = request.image_kind == HN_IMAGE_HOST.rawValue
            guard host || request.image_kind == HN_IMAGE_DIRECTORY.rawValue else {
                throw Failure(CN_EINVAL, HN_STAGE_REQUEST)
            }
            reply.image = try withName(&request) { (name, length, nursery) throws(Failure) in
                try nursery.images.prepare(name: name, length: length, host: host)
            }
            send(reply)
        case HN_TREE:
            let tree = FD(
                try withName(&request) { (name, _, _) throws(Failure) in
                    try ImageTemplates.code(name: name).release()
                })
            send(Reply.make(HN_TREE, cookie: request.cookie), [tree.raw, -1, -1, -1, -1, -1], count: 1)
        case HN_CREATE:
            try create(&request, &fds, received: received)
        case HN_KILL:
            guard let slot = sandboxes.find(request.slot, sandbox: request.sandbox) else {
                throw Failure(CN_ESRCH, HN_STAGE_REQUEST)
            }
            try check(cn_pidfd_kill(slot.pointee.pidfd, CN_SIGKILL), HN_STAGE_REQUEST)
            acknowledge(request)
        case HN_KEEP:
            try keep(request, &fds)
            acknowledge(request)
        case HN_LIST:
            list(request)
        case HN_SHUTDOWN:
            acknowledge(request)
            shutdown()
        default:
            throw Failure(CN_ENOSYS, HN_STAGE_REQUEST)
        }
    }

    private func acknowledge(_ request: hn_request) {
        var reply = hn_reply()
        reply.magic = UInt32(HN_MAGIC)
        reply.version = UInt16(HN_VERSION)
        reply.op = request.op
        reply.cookie = request.cookie
        reply.sandbox = request.sandbox
        reply.slot = request.slot
        send(reply)
    }

    /// One path component of harmless characters, not `.` or `..`.
    private mutating func withName<Result>(
        _ request: inout hn_request, _ body: (UnsafePointer<CChar>, Int, inout Nursery) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try withUnsafePointer(to: &request.name) { (tuple) throws(Failure) in
            let name = UnsafeRawPointer(tuple).assumingMemoryBound(to: CChar.self)
            guard let length = boundedLength(name, Int(HN_NAME_MAX.rawValue)), length > 0, name[0] != 46 else {
                throw Failure(CN_EINVAL, HN_STAGE_REQUEST)
            }
            for index in 0..<length {
                switch name[index] {
                case 97...122, 48...57, 46, 95, 45: continue  // a-z 0-9 . _ -
                default: throw Failure(CN_EINVAL, HN_STAGE_REQUEST)
                }
            }
            return try body(name, length, &self)
        }
    }

    private mutating func keep(_ request: hn_request, _ fds: inout Arrived) throws(Failure) {
        guard let slot = sandboxes.find(request.slot, sandbox: request.sandbox) else {
            throw Failure(CN_ESRCH, HN_STAGE_REQUEST)
        }
        guard fds.count <= Int(HN_KEPT_FDS.rawValue) else { throw Failure(CN_EINVAL, HN_STAGE_REQUEST) }
        for index in 0..<Int(HN_KEPT_FDS.rawValue) {
            if slot.pointee.kept[index] >= 0 { _ = cn_close(slot.pointee.kept[index]) }
            slot.pointee.kept[index] = try fds.take(index, above: Self.firstFree)
        }
        slot.pointee.tag = Self.tag(of: request)
    }

    private func list(_ request: hn_request) {
        for index in 0..<SandboxTable.capacity {
            guard let slot = sandboxes.used(index) else { continue }
            var reply = Reply.make(HN_LIST, cookie: request.cookie)
            reply.sandbox = slot.pointee.sandbox
            reply.slot = UInt32(index)
            reply.pid = slot.pointee.pid
            reply.image = slot.pointee.image
            reply.more = 1
            withUnsafeMutablePointer(to: &reply.tag) {
                UnsafeMutableRawPointer($0).copyMemory(from: &slot.pointee.tag, byteCount: Int(HN_TAG_BYTES.rawValue))
            }
            var fds = InlineArray<6, Int32>(repeating: -1)
            fds[0] = slot.pointee.pidfd
            fds[1] = slot.pointee.agentEnd
            var count = 2
            for place in 0..<Int(HN_KEPT_FDS.rawValue) where slot.pointee.kept[place] >= 0 {
                fds[count] = slot.pointee.kept[place]
                count += 1
            }
            send(reply, fds, count: count)
        }
        send(Reply.make(HN_LIST, cookie: request.cookie))
    }

    static func tag(of request: hn_request) -> InlineArray<64, UInt8> {
        var tag = InlineArray<64, UInt8>(repeating: 0)
        var copy = request.tag
        withUnsafeMutablePointer(to: &tag) { target in
            withUnsafePointer(to: &copy) {
                UnsafeMutableRawPointer(target).copyMemory(from: $0, byteCount: Int(HN_TAG_BYTES.rawValue))
            }
        }
        return tag
    }
}

/// The descriptors that came with a request: closed unless taken.
struct Arrived: ~Copyable {
    private var fds = InlineArray<16, Int32>(repeating: -1)
    let count: Int

    init(_ packet: cn_packet) {
        count = Int(packet.count)
        var copy = packet.fds
        withUnsafePointer(to: &copy) {
            let list = UnsafeRawPointer($0).assumingMemoryBound(to: Int32.self)
            for index in 0..<count { fds[index] = list[index] }
        }
    }

    deinit {
        for index in 0..<count where fds[index] >= 0 { _ = cn_close(fds[index]) }
    }

    func raw(_ index: Int) -> Int32 { fds[index] }

    /// Moves a descriptor out, above the places that children use; -1 when none came.
    mutating func take(_ index: Int, above minimum: Int32) throws(Failure) -> Int32 {
        guard index < count, fds[index] >= 0 else { return -1 }
        let high = try check(cn_dup_above(fds[index], minimum), HN_STAGE_TABLE)
        _ = cn_close(fds[index])
        fds[index] = -1
        return high
    }
}
