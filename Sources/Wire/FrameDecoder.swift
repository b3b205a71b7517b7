/// Cuts a byte stream into frames, whatever pieces it comes in.
///
/// Memory: never more than one frame's body is held, and its length was compared to the limits before a byte of it is
/// kept. An incomplete body grows with what has truly arrived, so that a header alone does not buy memory.
package struct FrameDecoder: Sendable {
    package var limits: FrameLimits
    /// While true, only HELLO or WELCOME may come: anything else is refused by its header, whatever it claims to be.
    package var expectsHandshake = true

    private var partialHeader: [UInt8] = []
    private var header: FrameHeader?
    private var body: [UInt8] = []
    /// Descriptors that arrived and that no frame has claimed yet.
    private var unclaimedDescriptors = 0

    package init(limits: FrameLimits = .default) {
        self.limits = limits
        partialHeader.reserveCapacity(FrameHeader.size)
    }

    /// Bytes held of a frame that is not complete.
    package var bufferedBytes: Int { partialHeader.count + body.count }

    /// Memory held for it.
    var reservedBytes: Int { partialHeader.capacity + body.capacity }

    /// Whether the end of the stream here would cut a frame in two.
    package var isInsideFrame: Bool { header != nil || !partialHeader.isEmpty }

    /// To be called with the number of descriptors that came with the bytes decoded next.
    package mutating func descriptorsArrived(_ count: Int) throws(WireError) {
        unclaimedDescriptors += count
        // One frame may be waiting for its header's end while the next brings its own: nothing honest holds more.
        guard unclaimedDescriptors <= 2 * Int(FrameLimits.maximumDescriptors) else {
            throw WireError(.badDescriptors, "\(unclaimedDescriptors) descriptors arrived that no frame announced")
        }
    }

    /// The next complete frame of `input` from `offset` on, or nil when the input is used up.
    /// - Parameter offset: moved past what was taken.
    package mutating func next(
        _ input: UnsafeRawBufferPointer, offset: inout Int
    ) throws(WireError) -> Frame? {
        let current: FrameHeader
        if let header {
            current = header
        } else {
            guard let complete = try completeHeader(input, &offset) else { return nil }
            current = complete
        }
        let missing = Int(current.length) - body.count
        let available = input.count - offset
        if available >= missing {
            let piece = UnsafeRawBufferPointer(rebasing: input[offset..<offset + missing])
            offset += missing
            header = nil
            if body.isEmpty {
                return Frame(header: current, body: [UInt8](piece))
            }
            body.append(contentsOf: piece)
            let whole = body
            body = []
            return Frame(header: current, body: whole)
        }
        header = current
        // A large body in small pieces: grow geometrically (Array does), but reserve once half of it is here.
        if body.count + available > missing / 2 { body.reserveCapacity(Int(current.length)) }
        body.append(contentsOf: UnsafeRawBufferPointer(rebasing: input[offset...]))
        offset = input.count
        return nil
    }

    private mutating func completeHeader(
        _ input: UnsafeRawBufferPointer, _ offset: inout Int
    ) throws(WireError) -> FrameHeader? {
        let available = input.count - offset
        if partialHeader.isEmpty, available >= FrameHeader.size {
            let bytes = UnsafeRawBufferPointer(rebasing: input[offset..<offset + FrameHeader.size])
            offset += FrameHeader.size
            return try check(bytes)
        }
        let taken = min(FrameHeader.size - partialHeader.count, available)
        partialHeader.append(contentsOf: UnsafeRawBufferPointer(rebasing: input[offset..<offset + taken]))
        offset += taken
        guard partialHeader.count == FrameHeader.size else { return nil }
        defer { partialHeader.removeAll(keepingCapacity: true) }
        let bytes = partialHeader
        return try bytes.span.bytes.withUnsafeBytes { (bytes) throws(WireError) in try check(bytes) }
    }

    private mutating func check(_ bytes: UnsafeRawBufferPointer) throws(WireError) -> FrameHeader {
        if expectsHandshake {
            // Whatever else speaks here (HTTP, a wrong socket) is told so by its first 16 bytes.
            guard let kind = FrameKind(rawValue: bytes[8]), kind == .hello || kind == .welcome || kind == .goAway else {
                throw WireError(.badMagic, "the connection does not begin with the handshake of this protocol")
            }
        }
        let header = try FrameHeader(decoding: bytes, limits: limits)
        guard Int(header.fds) <= unclaimedDescriptors else {
            throw WireError(
                .badDescriptors,
                "a \(header.kind) frame announces \(header.fds) descriptors, \(unclaimedDescriptors) came")
        }
        unclaimedDescriptors -= Int(header.fds)
        return header
    }

    /// To be called when all input is used up: a descriptor must belong to a frame whose first byte it came with.
    package func checkDescriptors() throws(WireError) {
        guard unclaimedDescriptors == 0 || !partialHeader.isEmpty else {
            throw WireError(.badDescriptors, "\(unclaimedDescriptors) descriptors arrived that no frame announced")
        }
    }

    /// To be called at the end of the stream.
    package func checkEnd() throws(WireError) {
        guard !isInsideFrame else {
            throw WireError(.truncated, "the connection ended inside a frame")
        }
    }
}
