package import SwiftProtobuf

/// A sequence of (varint length, message), as PushPlan, PullLatency and PullJournal have it in DATA, cut anywhere.
package struct DelimitedReader<M: SwiftProtobuf.Message>: Sendable {
    package enum Problem: Error, Sendable, Equatable {
        /// A length above the limit: the message is refused before it is gathered.
        case tooLong(UInt64)
        /// Bytes that are no message of this kind, or no length.
        case malformed
        /// The sequence ended inside a message.
        case truncated
    }

    private let limit: Int
    private var buffer: [UInt8] = []
    private var head = 0

    /// - Parameter limit: bytes of the longest message.
    package init(limit: Int) {
        self.limit = limit
    }

    package mutating func append(_ bytes: some Sequence<UInt8>) {
        if head > 0 {
            buffer.removeFirst(head)
            head = 0
        }
        buffer.append(contentsOf: bytes)
    }

    /// The next whole message; nil until more bytes have come.
    package mutating func next() throws(Problem) -> M? {
        var length: UInt64 = 0
        var at = head
        var shift: UInt64 = 0
        while true {
            guard at < buffer.count else { return nil }
            let byte = buffer[at]
            at += 1
            length |= UInt64(byte & 0x7f) << shift
            if byte < 0x80 { break }
            shift += 7
            guard shift < 35 else { throw .malformed }
        }
        guard length <= UInt64(limit) else { throw .tooLong(length) }
        guard buffer.count - at >= Int(length) else { return nil }
        head = at + Int(length)
        do {
            return try M(serializedBytes: [UInt8](buffer[at..<head]))
        } catch {
            throw .malformed
        }
    }

    /// To be called at the end of the sequence.
    package func finish() throws(Problem) {
        guard head == buffer.count else { throw .truncated }
    }
}

extension Array where Element == UInt8 {
    /// Appends a message behind its length; one that cannot be encoded is left out.
    package mutating func appendDelimited(_ message: some SwiftProtobuf.Message) {
        guard let body: [UInt8] = try? message.serializedBytes() else { return }
        var length = UInt64(body.count)
        while length > 0x7f {
            append(UInt8(truncatingIfNeeded: length) | 0x80)
            length >>= 7
        }
        append(UInt8(length))
        append(contentsOf: body)
    }
}
