import Linux
import Logging
import SwiftProtobuf
import Wire

/// One connection: bytes and descriptors between the socket and the protocol's state machine, requests to their handlers.
@LoopActor
final class Session {
    /// What a stream in progress wants to hear.
    @LoopActor
    protocol StreamHandler: AnyObject {
        /// Payload of the client; the handler calls `consumed` when it has used it.
        func received(_ bytes: [UInt8], end: Bool)
        /// Nobody waits for the answer any more: CANCEL, a lost connection, or the request's deadline.
        func cancelled(_ reason: CancelReason)
        /// All that was queued for the client is on its way: more may be produced.
        func drained()
    }

    enum CancelReason {
        case client
        case disconnected
        case deadline
    }

    private static let readSize = 64 << 10
    /// Reads of one turn: others get theirs in between.
    private static let readsPerTurn = 8

    let agent: Agent
    let role: Role
    let peer: UnixSocket.PeerCredentials
    private let fd: OwnedFD
    private var source: Reactor.Source?
    private var wire = ServerSession<SharedFD>()
    private var handlers: [UInt32: any StreamHandler] = [:]
    private var timers: [UInt32: Reactor.Timer] = [:]
    private var isFlushing = false
    private var buffer = [UInt8](repeating: 0, count: 64 << 10)

    init(_ fd: consuming OwnedFD, peer: UnixSocket.PeerCredentials, role: Role, agent: Agent) throws(Errno) {
        self.agent = agent
        self.role = role
        self.peer = peer
        let raw = fd.rawValue
        self.fd = fd
        source = try Reactor.shared.watch(raw) { [weak self] readiness in self?.ready(readiness) }
    }

    // MARK: Input

    private func ready(_ readiness: Reactor.Readiness) {
        if readiness.contains(.writable) { flush() }
        if readiness.contains(.readable) || readiness.contains(.hangUp) || readiness.contains(.error) { read() }
    }

    private func read() {
        for _ in 0..<Self.readsPerTurn {
            guard source != nil, wire.acceptsInput else { break }
            do throws(Errno) {
                let (count, descriptors) = try buffer.withUnsafeMutableBufferPointer { (bytes) throws(Errno) in
                    try Message.receive(fd.rawValue, into: UnsafeMutableRawBufferPointer(bytes))
                }
                guard count > 0 else {
                    wire.receiveEnd()
                    return disconnect()
                }
                buffer.withUnsafeBytes {
                    wire.receive(UnsafeRawBufferPointer(rebasing: $0[..<count]), fds: descriptors)
                }
                dispatchEvents()
                if count < Self.readSize { break }
            } catch .wouldBlock {
                break
            } catch .protocolError {
                wire.close(
                    WireError(.badDescriptors, "more than 16 descriptors in one message, or a cut control message"))
                dispatchEvents()
                break
            } catch {
                return disconnect()
            }
        }
        flush()
    }

    private func dispatchEvents() {
        while let event = wire.nextEvent() {
            switch event {
            case .request(let request): take(request)
            case .data(let stream, let bytes, let end):
                if let handler = handlers[stream] {
                    handler.received(bytes, end: end)
                } else {
                    wire.consumed(stream, bytes.count)
                }
            case .cancel(let stream): handlers[stream]?.cancelled(.client)
            case .drained(let stream): handlers[stream]?.drained()
            case .failed(let error):
                agent.logger.info("a client broke the protocol", metadata: ["pid": "\(peer.pid)", "error": "\(error)"])
                cancelAll()
            case .opened, .pong, .goAway: break
            }
        }
    }

    private func take(_ request: ServerRequest<SharedFD>) {
        let stream = request.stream
        guard let method = HearthMethod(rawValue: Int(request.method)), method != .unspecified,
            RequestRouter.isImplemented(method)
        else {
            return respond(stream, error: .unknownMethod(request.method))
        }
        guard role >= Role.needed(for: method) else {
            return respond(
                stream,
                error: AgentError(
                    .permissionDenied, "the role \(role.name) may not call this method",
                    remedy: "connect as a user that the agent's configuration gives the role "
                        + Role.needed(for: method).name))
        }
        if let deadline = request.deadline {
            let at = monotonicNow(plus: Int64(clamping: deadline))
            timers[stream] = Reactor.shared.schedule(at: at) { [weak self] in self?.deadlinePassed(stream) }
        }
        do throws(AgentError) {
            if let handler = try RequestRouter.handle(method, request, self), wire.isOpen(stream: stream) {
                handlers[stream] = handler
            }
        } catch {
            respond(stream, error: error)
        }
    }

    private func deadlinePassed(_ stream: UInt32) {
        timers[stream] = nil
        handlers[stream]?.cancelled(.deadline)
        flush()
    }

    // MARK: Output

    /// Ends a stream; exactly once, a second answer is dropped.
    func respond(_ stream: UInt32, _ message: some SwiftProtobuf.Message) {
        close(stream)
        wire.respond(stream, message)
        flush()
    }

    /// The same with a message that was encoded elsewhere.
    func respond(_ stream: UInt32, body: [UInt8]) {
        close(stream)
        wire.respond(stream, body: body)
        flush()
    }

    func respond(_ stream: UInt32, error: AgentError) {
        respond(stream, error: error.wire)
    }

    func respond(_ stream: UInt32, error: HearthError) {
        close(stream)
        wire.respond(stream, error: error)
        flush()
    }

    private func close(_ stream: UInt32) {
        handlers[stream] = nil
        timers.removeValue(forKey: stream)?.cancel()
    }

    /// Queues payload for the client; false where nobody wants it.
    @discardableResult
    func send(_ stream: UInt32, channel: UInt8, _ bytes: [UInt8]) -> Bool {
        let sent = bytes.withUnsafeBytes { wire.sendData(stream, channel: channel, $0) }
        flush()
        return sent
    }

    /// The same for methods without channels.
    func send(_ stream: UInt32, _ bytes: [UInt8]) {
        bytes.withUnsafeBytes { _ = wire.sendData(stream, $0) }
        flush()
    }

    /// Payload that waits for the client's credit alone; `drained` follows when there is none left.
    func queuedBytes(of stream: UInt32) -> Int { wire.pendingBytes(of: stream) }

    func pendingBytes(of stream: UInt32) -> Int { wire.pendingBytes(of: stream) + wire.output.count }

    func consumed(_ stream: UInt32, _ count: Int) {
        wire.consumed(stream, count)
        flush()
    }

    private func flush() {
        // Handlers may answer from within a flush's own callbacks.
        guard !isFlushing, source != nil else { return }
        isFlushing = true
        defer { isFlushing = false }
        while !wire.output.isEmpty {
            do throws(Errno) {
                _ = try wire.output.writeNext { (bytes, fds) throws(Errno) in
                    try Message.send(fd.rawValue, bytes, descriptors: fds.map(\.rawValue))
                }
            } catch .wouldBlock {
                return updateInterest(writable: true)
            } catch {
                return disconnect()
            }
        }
        if wire.isClosed { return disconnect() }
        updateInterest(writable: false)
    }

    private func updateInterest(writable: Bool) {
        var interest: Reactor.Readiness = wire.acceptsInput ? .readable : []
        if writable { interest.insert(.writable) }
        source?.setInterest(interest)
    }

    // MARK: The end

    /// Tells the client that no new streams are taken; those that are open are finished.
    func goAway(_ text: String) {
        wire.goAway(text)
        flush()
    }

    /// The largest message that the client agreed to take.
    var messageLimit: Int { Int(FrameLimits.default.maximumMessage) }

    var openStreamCount: Int { wire.openStreamCount }

    func disconnect() {
        guard source != nil else { return }
        source?.cancel()
        source = nil
        cancelAll()
        agent.sessionEnded(self)
    }

    private func cancelAll() {
        let open = handlers
        handlers = [:]
        for timer in timers.values { timer.cancel() }
        timers = [:]
        for stream in open.keys.sorted() { open[stream]?.cancelled(.disconnected) }
    }
}
