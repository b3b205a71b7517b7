/// What both ends of a connection share: cutting frames, descriptors, streams with their credit, the output.
///
/// The sessions do no I/O (the style of the h2 and of the ttrpc libraries): bytes and descriptors go in, events and
/// bytes come out. Everything about a transport, a clock or a thread is the caller's.
struct SessionCore<FD: Sendable>: Sendable {
    var decoder: FrameDecoder
    var output = OutputBuffer<FD>()
    var streams: [UInt32: StreamState<FD>] = [:]
    var features: Features = []
    /// Descriptors that came and belong to a frame that is not complete yet, in order of arrival.
    private var arrived: [FD] = []
    /// The connection is over: nothing is read or written any more, but the output that is there.
    var isClosed = false

    init(limits: FrameLimits) {
        decoder = FrameDecoder(limits: limits)
    }

    var limits: FrameLimits { decoder.limits }

    // MARK: Input

    /// Takes over the descriptors that came with the bytes decoded next.
    mutating func descriptorsArrived(_ fds: [FD]) throws(WireError) {
        guard !fds.isEmpty else { return }
        arrived.append(contentsOf: fds)
        try decoder.descriptorsArrived(fds.count)
    }

    /// The next frame of `bytes` with its descriptors; nil when the bytes are used up or the connection is over.
    mutating func nextFrame(
        _ bytes: UnsafeRawBufferPointer, offset: inout Int
    ) throws(WireError) -> (frame: Frame, fds: [FD])? {
        guard !isClosed else { return nil }
        guard let frame = try decoder.next(bytes, offset: &offset) else {
            try decoder.checkDescriptors()
            return nil
        }
        guard frame.header.fds > 0 else { return (frame, []) }
        let own = Array(arrived.prefix(Int(frame.header.fds)))
        arrived.removeFirst(own.count)
        guard features.contains(.descriptors) else {
            throw WireError(.badDescriptors, "descriptors were not agreed upon in the handshake")
        }
        return (frame, own)
    }

    /// Books a DATA frame of the peer.
    mutating func receiveData(_ frame: Frame, end: Bool) throws(WireError) {
        let id = frame.header.stream
        guard !frame.body.isEmpty || end else {
            throw WireError(.badFrame, "a DATA frame on stream \(id) without a byte and without END_STREAM")
        }
        guard let index = streams.index(forKey: id) else { return }
        guard !streams.values[index].receiveEnded else {
            throw WireError(.streamClosed, "DATA on stream \(id) after its end")
        }
        guard frame.body.count <= streams.values[index].receiveCredit else {
            throw WireError(
                .flowControl,
                "DATA of \(frame.body.count) bytes on stream \(id), whose credit is \(streams.values[index].receiveCredit)"
            )
        }
        streams.values[index].receiveCredit -= frame.body.count
        if end { streams.values[index].receiveEnded = true }
    }

    /// Takes the peer's CREDIT and sends what waited for it.
    /// - Returns: whether this emptied the stream's queue.
    mutating func receiveCredit(_ frame: Frame) throws(WireError) -> Bool {
        let id = frame.header.stream
        let grant = Int(frame.body.withUnsafeBytes { $0.bigEndian32(at: 0) })
        guard grant > 0 else {
            throw WireError(.badFrame, "CREDIT of 0 bytes on stream \(id)")
        }
        // A stream that ended meanwhile is no error: the grant crossed its RESPONSE.
        guard let index = streams.index(forKey: id) else { return false }
        guard streams.values[index].sendCredit + grant <= FrameLimits.maximumCredit else {
            throw WireError(.flowControl, "CREDIT of \(grant) bytes takes stream \(id) past 2^31 - 1")
        }
        streams.values[index].sendCredit += grant
        let waited = !streams.values[index].queue.isEmpty
        flush(id)
        return waited && (streams[id]?.queue.isEmpty ?? true)
    }

    // MARK: Output

    /// Queues payload; what the credit allows goes to the output at once.
    /// - Returns: false where the stream is gone or ended: the bytes are dropped.
    mutating func sendData(_ id: UInt32, channel: UInt8?, _ bytes: UnsafeRawBufferPointer) -> Bool {
        guard !isClosed, let index = streams.index(forKey: id), streams.values[index].mayQueueData else { return false }
        var rest = bytes
        if streams.values[index].queue.isEmpty {
            let overhead = channel == nil ? 0 : 1
            while !rest.isEmpty {
                let limit = min(streams.values[index].sendCredit, Int(FrameLimits.maximumData))
                let size = min(limit - overhead, rest.count)
                guard size > 0 else { break }
                appendData(id, channel: channel, UnsafeRawBufferPointer(rebasing: rest[..<size]), end: false)
                streams.values[index].sendCredit -= size + overhead
                rest = UnsafeRawBufferPointer(rebasing: rest[size...])
            }
        }
        streams.values[index].queue.append(rest, channel: channel)
        return true
    }

    /// Sends of a stream's queue what its credit allows, and its ending when the queue is empty.
    mutating func flush(_ id: UInt32) {
        guard !isClosed, let index = streams.index(forKey: id) else { return }
        if !streams.values[index].queue.isEmpty {
            // Taken out of the dictionary meanwhile: output and queue are changed together.
            var queue = DataQueue()
            swap(&queue, &streams.values[index].queue)
            var credit = streams.values[index].sendCredit
            while let sent = queue.next(
                limit: min(credit, Int(FrameLimits.maximumData)),
                { appendData(id, channel: $0, $1, end: false) })
            {
                credit -= sent
            }
            streams.values[index].sendCredit = credit
            swap(&queue, &streams.values[index].queue)
            guard streams.values[index].queue.isEmpty else { return }
        }
        switch streams.values[index].ending {
        case .open, .ended:
            break
        case .endStream:
            appendData(id, channel: nil, UnsafeRawBufferPointer(start: nil, count: 0), end: true)
            streams.values[index].ending = .ended
        case .response(let flags, let body, let fds):
            streams.remove(at: index)
            appendResponse(id, flags: flags, body: body, fds: fds)
        }
    }

    private mutating func appendData(_ id: UInt32, channel: UInt8?, _ bytes: UnsafeRawBufferPointer, end: Bool) {
        let length = UInt32(bytes.count + (channel == nil ? 0 : 1))
        output.append(FrameHeader(length: length, stream: id, kind: .data, flags: end ? .endStream : [])) {
            if let channel { $0.append(channel) }
            $0.append(contentsOf: bytes)
        }
    }

    mutating func appendResponse(_ id: UInt32, flags: FrameFlags, body: [UInt8], fds: [FD]) {
        output.append(
            FrameHeader(
                length: UInt32(body.count), stream: id, kind: .response, flags: flags, fds: UInt8(fds.count)),
            fds: fds
        ) {
            $0.append(contentsOf: body)
        }
    }

    /// Tells the peer that `count` of its bytes were taken; grants go out when they are worth a frame.
    mutating func consumed(_ id: UInt32, _ count: Int) {
        guard !isClosed, let index = streams.index(forKey: id), !streams.values[index].receiveEnded else { return }
        streams.values[index].consumed += count
        let grant = streams.values[index].consumed
        guard grant >= max(1, Int(limits.initialCredit) / 2) else { return }
        streams.values[index].consumed = 0
        streams.values[index].receiveCredit += grant
        output.append(FrameHeader(length: 4, stream: id, kind: .credit)) {
            $0.appendBigEndian(UInt32(clamping: grant))
        }
    }

    mutating func appendControl(_ kind: FrameKind, stream: UInt32 = 0, body: [UInt8] = []) {
        output.append(FrameHeader(length: UInt32(body.count), stream: stream, kind: kind)) {
            $0.append(contentsOf: body)
        }
    }

    mutating func appendGoAway(lastStream: UInt32, code: WireErrorCode, text: String) {
        var body: [UInt8] = []
        body.appendBigEndian(lastStream)
        body.appendBigEndian(code.rawValue)
        body.append(contentsOf: text.utf8.prefix(Int(FrameLimits.maximumGoAway) - body.count))
        appendControl(.goAway, body: body)
    }

    /// Lets go of everything but the output.
    mutating func close() {
        isClosed = true
        arrived = []
    }
}

/// A GOAWAY as it came.
package struct GoAway: Sendable, Hashable {
    /// The last stream that the sender took up; later ones were not touched and may be repeated elsewhere.
    package let lastStream: UInt32
    /// The code's number: a later minor revision may have codes that this side does not know.
    package let code: UInt32
    package let text: String

    init(decoding body: [UInt8]) {
        (lastStream, code) = body.withUnsafeBytes { ($0.bigEndian32(at: 0), $0.bigEndian32(at: 4)) }
        text = String(decoding: body.dropFirst(8), as: UTF8.self)
    }
}
