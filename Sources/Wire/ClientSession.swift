/// A client's end of one connection, without I/O. HELLO is in the output from the beginning.
///
/// Use: write `output`, `receive` what comes, take every `nextEvent`; requests may be made after `opened`.
package struct ClientSession<FD: Sendable>: Sendable {
    private enum State {
        case awaitingWelcome
        case open
        case goingAway
        case closed
    }

    private var core: SessionCore<FD>
    private var state = State.awaitingWelcome
    private var events = EventQueue<ClientEvent<FD>>()
    private let offered: Features
    private var nextStream: UInt32 = 1

    package init(features: Features = .supported) {
        core = SessionCore(limits: .default)
        offered = features
        var body: [UInt8] = []
        Hello(features: features).encode(into: &body)
        core.appendControl(.hello, body: body)
    }

    // MARK: State

    package var isOpen: Bool { state == .open }
    package var isClosed: Bool { state == .closed }
    package var limits: FrameLimits { core.limits }
    package var features: Features { core.features }
    package var openStreamCount: Int { core.streams.count }
    package func isOpen(stream: UInt32) -> Bool { core.streams[stream] != nil }

    /// Bytes that wait to be written, payload without credit included.
    package var pendingBytes: Int {
        var sum = core.output.count
        for stream in core.streams.values { sum += stream.queue.count }
        return sum
    }

    /// Bytes of one stream that wait for credit.
    package func pendingBytes(of stream: UInt32) -> Int { core.streams[stream]?.queue.count ?? 0 }

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

    /// The agent closed the connection.
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

    package mutating func nextEvent() -> ClientEvent<FD>? { events.next() }

    private mutating func handle(_ frame: Frame, _ fds: [FD]) throws(WireError) {
        let id = frame.header.stream
        if state == .awaitingWelcome, frame.header.kind != .goAway {
            guard frame.header.kind == .welcome else {
                throw WireError(.unexpectedFrame, "a \(frame.header.kind) frame before WELCOME")
            }
            let welcome = try Welcome(decoding: frame.body)
            guard welcome.features.isSubset(of: offered) else {
                throw WireError(.badFrame, "WELCOME has features that HELLO did not offer")
            }
            core.features = welcome.features
            core.decoder.limits = welcome.limits
            core.decoder.expectsHandshake = false
            state = .open
            return events.append(.opened(welcome))
        }
        switch frame.header.kind {
        case .response:
            try checkOpen(id)
            core.streams[id] = nil
            events.append(
                .response(stream: id, isError: frame.header.flags.contains(.error), body: frame.body, fds: fds))
        case .data:
            try checkOpen(id)
            guard !frame.header.flags.contains(.endStream) else {
                throw WireError(
                    .reservedBits, "END_STREAM in DATA of the agent on stream \(id): RESPONSE ends a stream")
            }
            try core.receiveData(frame, end: false)
            events.append(.data(stream: id, bytes: frame.body))
        case .credit:
            try checkNumber(id)
            if try core.receiveCredit(frame) { events.append(.drained(stream: id)) }
        case .ping:
            core.appendControl(.pong, body: frame.body)
        case .pong:
            events.append(.pong(frame.body.withUnsafeBytes { $0.bigEndian64(at: 0) }))
        case .goAway:
            goingAway(GoAway(decoding: frame.body))
        case .hello, .welcome, .request, .cancel:
            throw WireError(.unexpectedFrame, "an agent does not send \(frame.header.kind) here")
        }
    }

    private mutating func goingAway(_ goAway: GoAway) {
        events.append(.goAway(goAway))
        for id in core.streams.keys.sorted() where id > goAway.lastStream {
            core.streams[id] = nil
            events.append(.unprocessed(stream: id))
        }
        if goAway.code == WireErrorCode.none.rawValue, state != .awaitingWelcome {
            state = .goingAway
        } else {
            state = .closed
            core.close()
        }
    }

    /// A frame of the agent belongs to a stream that waits for its response.
    private func checkOpen(_ stream: UInt32) throws(WireError) {
        try checkNumber(stream)
        guard core.streams[stream] != nil else {
            throw WireError(.streamClosed, "a frame for stream \(stream), which has had its RESPONSE")
        }
    }

    private func checkNumber(_ stream: UInt32) throws(WireError) {
        guard stream % 2 == 1 else {
            throw WireError(.badStreamID, "a client's stream has an odd number, not \(stream)")
        }
        guard stream < nextStream else {
            throw WireError(.unknownStream, "a frame for stream \(stream), which was never opened")
        }
    }

    private mutating func fail(_ error: WireError) {
        core.appendGoAway(lastStream: 0, code: error.code, text: error.detail)
        core.close()
        state = .closed
        events.append(.failed(error))
    }

    // MARK: Output

    /// Opens a stream.
    /// - Parameters:
    ///   - deadline: nanoseconds from the request's arrival at the agent; nil for none.
    ///   - isComplete: no DATA follows.
    /// - Returns: the stream's number.
    package mutating func request(
        method: UInt16, message: [UInt8], deadline: UInt64? = nil, fds: [FD] = [], isComplete: Bool = true
    ) throws(RequestRefusal) -> UInt32 {
        guard state != .goingAway else { throw .goingAway }
        guard state == .open else { throw .notOpen }
        guard core.streams.count < Int(core.limits.maximumStreams) else {
            throw .tooManyStreams(limit: core.limits.maximumStreams)
        }
        let length = RequestBody.prefix + message.count
        guard length <= Int(core.limits.maximumMessage) else {
            throw .messageTooLarge(size: message.count, limit: Int(core.limits.maximumMessage) - RequestBody.prefix)
        }
        guard fds.count <= Int(FrameLimits.maximumDescriptors) else { throw .tooManyDescriptors(fds.count) }
        guard fds.isEmpty || core.features.contains(.descriptors) else { throw .descriptorsNotAgreed }
        guard nextStream < UInt32.max else { throw .streamsUsedUp }
        let id = nextStream
        nextStream += 2
        var stream = StreamState<FD>(credit: core.limits.initialCredit)
        if isComplete { stream.ending = .ended }
        core.streams[id] = stream
        core.output.append(
            FrameHeader(
                length: UInt32(length), stream: id, kind: .request, flags: isComplete ? .endStream : [],
                fds: UInt8(fds.count), method: method),
            fds: fds
        ) {
            $0.appendBigEndian(min(deadline ?? 0, RequestBody.longestDeadline))
            $0.append(contentsOf: message)
        }
        return id
    }

    /// Queues payload of a stream as DATA frames within its credit.
    /// - Returns: false where the bytes are dropped: the stream has had its response, is cancelled or ended.
    @discardableResult
    package mutating func sendData(
        _ stream: UInt32, channel: UInt8? = nil, _ bytes: UnsafeRawBufferPointer
    ) -> Bool {
        core.sendData(stream, channel: channel, bytes)
    }

    /// No more payload: END_STREAM follows what is queued.
    package mutating func endData(_ stream: UInt32) {
        guard let index = core.streams.index(forKey: stream), core.streams.values[index].mayQueueData else { return }
        core.streams.values[index].ending = .endStream
        core.flush(stream)
    }

    /// Asks the agent to stop. The stream still ends with a response; a second call does nothing.
    package mutating func cancel(_ stream: UInt32) {
        guard !core.isClosed, let index = core.streams.index(forKey: stream), !core.streams.values[index].cancelled
        else { return }
        core.streams.values[index].cancelled = true
        core.streams.values[index].queue.removeAll()
        core.streams.values[index].ending = .ended
        core.appendControl(.cancel, stream: stream)
    }

    /// To be called for received payload once it has been passed on; grants the agent as much again.
    package mutating func consumed(_ stream: UInt32, _ count: Int) {
        core.consumed(stream, count)
    }

    package mutating func ping(_ value: UInt64) {
        guard state == .open || state == .goingAway else { return }
        var body: [UInt8] = []
        body.appendBigEndian(value)
        core.appendControl(.ping, body: body)
    }

    /// Says that no more requests come. What is open is still answered.
    package mutating func goAway(_ text: String = "") {
        guard state == .open else { return }
        state = .goingAway
        core.appendGoAway(lastStream: 0, code: .none, text: text)
    }
}
