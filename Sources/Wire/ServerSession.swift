/// The agent's end of one connection, without I/O.
///
/// `FD` is what a descriptor is to the caller; the session only carries it along and lets go of it when a frame is
/// refused, so it should be a type that closes itself.
///
/// Use: `receive` what came, take every `nextEvent`, answer, then `output.writeNext` until it is empty. Read from the
/// client only while `acceptsInput`.
package struct ServerSession<FD: Sendable>: Sendable {
    private enum State {
        case awaitingHello
        case open
        /// GOAWAY was sent: streams above `lastAccepted` are ignored.
        case draining
        case closed
    }

    private var core: SessionCore<FD>
    private var state = State.awaitingHello
    private var events = EventQueue<ServerEvent<FD>>()
    private let supported: Features
    private var lastStream: UInt32 = 0
    private var lastAccepted = UInt32.max

    /// Output above which the client is taken for a slow reader.
    private let outputLimit: Int

    package init(
        limits: FrameLimits = .default, features: Features = .supported, outputLimit: Int = 1 << 20
    ) {
        core = SessionCore(limits: limits)
        supported = features
        self.outputLimit = outputLimit
    }

    // MARK: State

    package var isOpen: Bool { state == .open || state == .draining }
    package var isClosed: Bool { state == .closed }
    package var features: Features { core.features }

    /// Streams without a response yet, in no order.
    package var openStreams: [UInt32] { Array(core.streams.keys) }
    package var openStreamCount: Int { core.streams.count }
    package func isOpen(stream: UInt32) -> Bool { core.streams[stream] != nil }

    /// Bytes that wait to be written, payload without credit included.
    package var pendingBytes: Int {
        var sum = core.output.count
        for stream in core.streams.values { sum += stream.queue.count }
        return sum
    }

    /// Bytes of one stream that wait for credit: the caller stops reading from the function while this is high.
    package func pendingBytes(of stream: UInt32) -> Int { core.streams[stream]?.queue.count ?? 0 }

    /// False while the client does not read what it is sent: reading more requests would only buffer more answers.
    package var acceptsInput: Bool { !isClosed && core.output.count < outputLimit }

    /// Bytes to be written.
    package var output: OutputBuffer<FD> {
        get { core.output }
        _modify { yield &core.output }
    }

    // MARK: Input

    /// Takes what one read brought. Breaches of the protocol come back as the event `failed`.
    package mutating func receive(_ bytes: UnsafeRawBufferPointer, fds: [FD] = []) {
        guard state != .closed else { return }
        do throws(WireError) {
            try core.descriptorsArrived(fds)
            var offset = 0
            while let (frame, fds) = try core.nextFrame(bytes, offset: &offset) {
                try handle(frame, fds)
            }
        } catch {
            fail(error)
        }
    }

    /// The client closed its side.
    package mutating func receiveEnd() {
        guard state != .closed else { return }
        do throws(WireError) {
            try core.decoder.checkEnd()
            state = .closed
            core.close()
        } catch {
            fail(error)
        }
    }

    package mutating func nextEvent() -> ServerEvent<FD>? { events.next() }

    private mutating func handle(_ frame: Frame, _ fds: [FD]) throws(WireError) {
        let id = frame.header.stream
        if state == .awaitingHello {
            guard frame.header.kind == .hello else {
                throw WireError(.unexpectedFrame, "a \(frame.header.kind) frame before HELLO")
            }
            return try open(frame)
        }
        switch frame.header.kind {
        case .request:
            try request(frame, fds)
        case .data:
            try checkOpened(id)
            let end = frame.header.flags.contains(.endStream)
            try core.receiveData(frame, end: end)
            // Data for a stream that was answered already crossed the response: it is dropped.
            if core.streams[id] != nil { events.append(.data(stream: id, bytes: frame.body, end: end)) }
        case .credit:
            try checkOpened(id)
            if try core.receiveCredit(frame), core.streams[id] != nil { events.append(.drained(stream: id)) }
        case .cancel:
            try checkOpened(id)
            guard let index = core.streams.index(forKey: id), !core.streams.values[index].cancelled else { return }
            core.streams.values[index].cancelled = true
            core.streams.values[index].receiveEnded = true
            core.streams.values[index].queue.removeAll()
            if case .response = core.streams.values[index].ending {
                // The answer only waited for the payload that nobody wants now.
                core.flush(id)
            } else {
                events.append(.cancel(stream: id))
            }
        case .ping:
            core.appendControl(.pong, body: frame.body)
        case .pong:
            events.append(.pong(frame.body.withUnsafeBytes { $0.bigEndian64(at: 0) }))
        case .goAway:
            events.append(.goAway(GoAway(decoding: frame.body)))
        case .hello, .welcome, .response:
            throw WireError(.unexpectedFrame, "a client does not send \(frame.header.kind) here")
        }
    }

    private mutating func open(_ frame: Frame) throws(WireError) {
        let hello = try Hello(decoding: frame.body)
        core.features = hello.features.intersection(supported)
        core.decoder.expectsHandshake = false
        state = .open
        var body: [UInt8] = []
        Welcome(features: core.features, limits: core.limits).encode(into: &body)
        core.appendControl(.welcome, body: body)
        events.append(.opened(core.features))
    }

    private mutating func request(_ frame: Frame, _ fds: [FD]) throws(WireError) {
        let id = frame.header.stream
        guard id % 2 == 1 else {
            throw WireError(.badStreamID, "a client's stream has an odd number, not \(id)")
        }
        guard id > lastStream else {
            throw WireError(.streamReused, "stream \(id) after stream \(lastStream): numbers only grow")
        }
        guard core.streams.count < Int(core.limits.maximumStreams) else {
            throw WireError(.tooManyStreams, "stream \(id) is one more than the \(core.limits.maximumStreams) allowed")
        }
        let deadline = frame.body.withUnsafeBytes { $0.bigEndian64(at: 0) }
        guard deadline <= RequestBody.longestDeadline else {
            throw WireError(.badFrame, "the deadline of stream \(id) is more than 2^63 - 1 ns")
        }
        lastStream = id
        guard id <= lastAccepted else { return }
        var stream = StreamState<FD>(credit: core.limits.initialCredit)
        stream.receiveEnded = frame.header.flags.contains(.endStream)
        core.streams[id] = stream
        events.append(
            .request(
                ServerRequest(
                    stream: id, method: frame.header.method, deadline: deadline == 0 ? nil : deadline,
                    isComplete: stream.receiveEnded, fds: fds, body: frame.body)))
    }

    private func checkOpened(_ stream: UInt32) throws(WireError) {
        guard stream % 2 == 1 else {
            throw WireError(.badStreamID, "a client's stream has an odd number, not \(stream)")
        }
        guard stream <= lastStream else {
            throw WireError(.unknownStream, "stream \(stream) was never opened")
        }
    }

    private mutating func fail(_ error: WireError) {
        core.appendGoAway(lastStream: lastStream, code: error.code, text: error.detail)
        core.close()
        state = .closed
        events.append(.failed(error))
    }

    // MARK: Output

    /// Ends a stream. Payload queued before goes out first, as credit allows; a cancelled stream has none.
    /// A body above the connection's limit becomes the error TOO_LARGE.
    /// - Returns: false where the stream was answered before or never opened: nothing is sent.
    @discardableResult
    package mutating func respond(
        _ stream: UInt32, flags: FrameFlags = [], body: [UInt8], fds: [FD] = []
    ) -> Bool {
        guard !core.isClosed, let index = core.streams.index(forKey: stream) else { return false }
        if case .response = core.streams.values[index].ending { return false }
        precondition(fds.count <= Int(FrameLimits.maximumDescriptors))
        guard body.count <= Int(core.limits.maximumMessage) else {
            return respond(stream, error: .responseTooLarge(body.count, limit: core.limits.maximumMessage))
        }
        if core.streams.values[index].queue.isEmpty {
            core.streams.remove(at: index)
            core.appendResponse(stream, flags: flags, body: body, fds: fds)
        } else {
            core.streams.values[index].ending = .response(flags: flags, body: body, fds: fds)
        }
        return true
    }

    /// Queues payload of a stream as DATA frames within its credit.
    /// - Parameter channel: the byte that each DATA body begins with, for methods with channels.
    /// - Returns: false where nobody wants the bytes: the stream is answered, cancelled or was never opened.
    @discardableResult
    package mutating func sendData(
        _ stream: UInt32, channel: UInt8? = nil, _ bytes: UnsafeRawBufferPointer
    ) -> Bool {
        core.sendData(stream, channel: channel, bytes)
    }

    /// Drops the payload of a stream that still waits for credit, so that an error need not wait behind it.
    package mutating func discardQueuedData(_ stream: UInt32) {
        core.streams[stream]?.queue.removeAll()
        core.flush(stream)
    }

    /// To be called for received payload once it has been passed on; grants the client as much again.
    package mutating func consumed(_ stream: UInt32, _ count: Int) {
        core.consumed(stream, count)
    }

    package mutating func ping(_ value: UInt64) {
        guard isOpen else { return }
        var body: [UInt8] = []
        body.appendBigEndian(value)
        core.appendControl(.ping, body: body)
    }

    /// An orderly end: streams that were accepted are finished, later ones are ignored.
    package mutating func goAway(_ text: String) {
        guard state == .open else { return }
        state = .draining
        lastAccepted = lastStream
        core.appendGoAway(lastStream: lastStream, code: .none, text: text)
    }

    /// Ends the connection for a reason of the agent's (role, idle, overload). GOAWAY is in the output afterwards.
    package mutating func close(_ error: WireError) {
        guard state != .closed else { return }
        fail(error)
    }
}
