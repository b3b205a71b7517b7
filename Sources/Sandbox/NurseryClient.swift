import Glibc
package import Linux
package import NurseryABI

/// The connection to the nursery: requests matched to replies by their cookie, and the deaths of sandboxes.
@LoopActor
package final class NurseryClient {
    package typealias Completion = @LoopActor (Result<(reply: hn_reply, descriptors: [SharedFD]), SandboxError>) -> Void

    private let connection: OwnedFD
    private var source: Reactor.Source?
    private var pending: [UInt64: Completion] = [:]
    /// LIST answers with several packets.
    private var lists: [UInt64: @LoopActor (hn_reply, [SharedFD]) -> Void] = [:]
    private var nextCookie: UInt64 = 1
    /// Requests that the socket had no room for, in order, with descriptors of their own.
    private var outbox: [(request: hn_request, descriptors: [SharedFD])] = []
    package private(set) var isLost = false

    /// A sandbox's PID 1 has ended.
    package var onExited: (@LoopActor (hn_reply) -> Void)?
    /// The nursery has ended.
    package var onLost: (@LoopActor () -> Void)?

    /// Takes over a connected SOCK_SEQPACKET socket.
    package init(_ connection: consuming OwnedFD) throws(Errno) {
        try connection.setNonblocking(true)
        let fd = connection.rawValue
        self.connection = connection
        source = try Reactor.shared.watch(fd) { [weak self] ready in
            self?.receive()
            if ready.contains(.writable) { self?.flush() }
        }
    }

    /// A request with its fixed fields.
    package nonisolated static func request(_ op: hn_op) -> hn_request {
        var request = hn_request()
        request.magic = UInt32(HN_MAGIC)
        request.version = UInt16(HN_VERSION)
        request.op = UInt16(op.rawValue)
        return request
    }

    package func send(_ request: hn_request, descriptors: [Int32] = [], completion: @escaping Completion) {
        guard !isLost else { return completion(.failure(.nurseryLost)) }
        var copy = request
        copy.cookie = nextCookie
        nextCookie += 1
        pending[copy.cookie] = completion
        do throws(Errno) {
            if outbox.isEmpty {
                do throws(Errno) {
                    try transmit(copy, descriptors)
                    return
                } catch .wouldBlock {
                    // A burst has filled the socket. Waiting here could wait for ever: the nursery may be waiting for us to
                    // read. The request goes when there is room.
                }
            }
            var kept: [SharedFD] = []
            for descriptor in descriptors {
                kept.append(SharedFD(owning: try systemCall { fcntl(descriptor, F_DUPFD_CLOEXEC, 3) }))
            }
            outbox.append((copy, kept))
            source?.setInterest([.readable, .writable])
        } catch {
            lose()
        }
    }

    private func transmit(_ request: hn_request, _ descriptors: [Int32]) throws(Errno) {
        var copy = request
        _ = try withUnsafeBytes(of: &copy) { (bytes) throws(Errno) in
            try Message.send(connection.rawValue, bytes, descriptors: descriptors)
        }
    }

    private func flush() {
        var sent = 0
        defer { outbox.removeFirst(sent) }
        do throws(Errno) {
            for entry in outbox {
                try transmit(entry.request, entry.descriptors.map(\.rawValue))
                sent += 1
            }
            source?.setInterest(.readable)
        } catch .wouldBlock {
            return
        } catch {
            sent = outbox.count
            lose()
        }
    }

    /// Asks for every sandbox that the nursery keeps.
    package func list(
        each: @escaping @LoopActor (hn_reply, [SharedFD]) -> Void, completion: @escaping Completion
    ) {
        lists[nextCookie] = each
        send(Self.request(HN_LIST), completion: completion)
    }

    package func close() {
        source?.cancel()
        source = nil
        isLost = true
    }

    private func receive() {
        var reply = hn_reply()
        for _ in 0..<64 {
            do throws(Errno) {
                let (count, descriptors) = try withUnsafeMutableBytes(of: &reply) { (bytes) throws(Errno) in
                    try Message.receive(connection.rawValue, into: bytes)
                }
                guard count == MemoryLayout<hn_reply>.size, reply.magic == UInt32(HN_MAGIC) else { return lose() }
                deliver(reply, descriptors)
            } catch .wouldBlock {
                return
            } catch {
                return lose()
            }
        }
    }

    private func deliver(_ reply: hn_reply, _ descriptors: [SharedFD]) {
        if reply.op == UInt16(HN_EXITED.rawValue) {
            onExited?(reply)
            return
        }
        if reply.op == UInt16(HN_LIST.rawValue), reply.error == 0, reply.more == 1 {
            lists[reply.cookie]?(reply, descriptors)
            return
        }
        lists[reply.cookie] = nil
        guard let completion = pending.removeValue(forKey: reply.cookie) else { return }
        if reply.error == 0 {
            completion(.success((reply, descriptors)))
        } else {
            completion(.failure(.failed(Errno(rawValue: reply.error), at: SandboxStage(rawValue: reply.stage))))
        }
    }

    private func lose() {
        guard !isLost else { return }
        close()
        let waiting = pending
        pending = [:]
        lists = [:]
        for cookie in waiting.keys.sorted() { waiting[cookie]?(.failure(.nurseryLost)) }
        onLost?()
    }
}

/// Fixed character fields of the nursery's messages.
package enum FixedText {
    /// Copies text and its NUL into a field; `.invalid` when it does not fit.
    package static func store<Field>(_ text: String, in field: inout Field, what: String) throws(SandboxError) {
        let utf8 = Array(text.utf8)
        let capacity = MemoryLayout<Field>.size
        guard utf8.count < capacity, !utf8.contains(0) else {
            throw .invalid("\(what) '\(text)' is longer than \(capacity - 1) bytes")
        }
        withUnsafeMutableBytes(of: &field) { raw in
            for (index, byte) in utf8.enumerated() { raw[index] = byte }
            raw[utf8.count] = 0
        }
    }
}
