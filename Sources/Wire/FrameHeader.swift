/// The 16 bytes in front of every frame's body, all numbers big-endian:
/// `length u32 | stream u32 | kind u8 | flags u8 | fds u8 | 0 u8 | method u16 | 0 u16`.
package struct FrameHeader: Sendable, Hashable {
    package static let size = 16

    /// Bytes of the body, the header not counted.
    package var length: UInt32
    package var stream: UInt32
    package var kind: FrameKind
    package var flags: FrameFlags
    /// Descriptors that travel with the frame's first byte.
    package var fds: UInt8
    /// REQUEST: the method's number; 0 in every other frame.
    package var method: UInt16

    package init(
        length: UInt32, stream: UInt32, kind: FrameKind, flags: FrameFlags = [], fds: UInt8 = 0, method: UInt16 = 0
    ) {
        self.length = length
        self.stream = stream
        self.kind = kind
        self.flags = flags
        self.fds = fds
        self.method = method
    }

    /// Reads a header and checks everything about it that needs no knowledge of the connection's state.
    /// The order of the checks is part of the specification: a peer sees the same error for the same bytes.
    package init(
        decoding bytes: UnsafeRawBufferPointer, limits: FrameLimits
    ) throws(WireError) {
        precondition(bytes.count >= Self.size)
        length = bytes.bigEndian32(at: 0)
        stream = bytes.bigEndian32(at: 4)
        let rawKind = bytes[8]
        flags = FrameFlags(rawValue: bytes[9])
        fds = bytes[10]
        method = bytes.bigEndian16(at: 12)
        guard bytes[11] == 0, bytes.bigEndian16(at: 14) == 0 else {
            throw WireError(.reservedBits, "a reserved byte of the frame header is not zero")
        }
        guard let kind = FrameKind(rawValue: rawKind) else {
            throw WireError(.unknownKind, "frame kind \(rawKind) does not exist in protocol version \(Handshake.major)")
        }
        self.kind = kind
        guard flags.isSubset(of: kind.allowedFlags) else {
            throw WireError(.reservedBits, "flags \(flags.rawValue) are not defined for a \(kind) frame")
        }
        guard kind == .request || method == 0 else {
            throw WireError(.reservedBits, "the method field of a \(kind) frame is not zero")
        }
        guard kind.belongsToStream == (stream != 0) else {
            throw WireError(.badStreamID, "a \(kind) frame with stream \(stream)")
        }
        let allowed = limits.bodyLengths(of: kind)
        guard length <= allowed.upperBound else {
            throw WireError(
                .frameTooLarge, "a \(kind) frame of \(length) bytes, where at most \(allowed.upperBound) are allowed")
        }
        guard length >= allowed.lowerBound else {
            throw WireError(
                .badFrame, "a \(kind) frame of \(length) bytes, where at least \(allowed.lowerBound) are needed")
        }
        guard fds <= FrameLimits.maximumDescriptors, fds == 0 || kind.mayCarryDescriptors else {
            throw WireError(.badDescriptors, "a \(kind) frame with \(fds) descriptors")
        }
    }

    /// Appends the 16 bytes.
    package func encode(into bytes: inout [UInt8]) {
        bytes.appendBigEndian(length)
        bytes.appendBigEndian(stream)
        bytes.append(kind.rawValue)
        bytes.append(flags.rawValue)
        bytes.append(fds)
        bytes.append(0)
        bytes.appendBigEndian(method)
        bytes.appendBigEndian(UInt16(0))
    }
}
