/// Bytes on their way to the peer, with the descriptors that must leave together with a frame's first byte.
package struct OutputBuffer<FD: Sendable>: Sendable {
    private struct Attachment: Sendable {
        /// Where in `bytes` the frame begins.
        var position: Int
        var fds: [FD]
    }

    private(set) var bytes: [UInt8] = []
    private var head = 0
    private var attachments: [Attachment] = []

    /// Above this the storage is given back when the buffer runs empty, so that one large result is not kept for good.
    private static var keptCapacity: Int { 256 << 10 }

    /// Bytes that wait to be written.
    package var count: Int { bytes.count - head }
    package var isEmpty: Bool { head == bytes.count }

    mutating func append(_ header: FrameHeader, fds: [FD] = [], body: (inout [UInt8]) -> Void = { _ in }) {
        if !fds.isEmpty { attachments.append(Attachment(position: bytes.count, fds: fds)) }
        header.encode(into: &bytes)
        body(&bytes)
        assert(bytes.count - head >= FrameHeader.size + Int(header.length))
    }

    /// Hands out the next piece for one sendmsg(2) and drops what `write` says was taken.
    ///
    /// A piece with descriptors begins at the frame that they belong to, and no piece reaches into the next such frame:
    /// the kernel attaches descriptors to the first byte of a write.
    /// - Parameter write: gets the bytes and the descriptors, returns how many bytes were taken.
    package mutating func writeNext<E: Error>(
        _ write: (UnsafeRawBufferPointer, [FD]) throws(E) -> Int
    ) throws(E) -> Int {
        guard !isEmpty else { return 0 }
        var fds: [FD] = []
        var end = bytes.count
        if let first = attachments.first, first.position == head {
            fds = first.fds
            if attachments.count > 1 { end = attachments[1].position }
        } else if let first = attachments.first {
            end = first.position
        }
        let range = head..<end
        let taken = try bytes.span.bytes.withUnsafeBytes { (all) throws(E) in
            try write(UnsafeRawBufferPointer(rebasing: all[range]), fds)
        }
        precondition(taken >= 0 && taken <= range.count)
        if taken > 0 { drop(taken) }
        return taken
    }

    private mutating func drop(_ taken: Int) {
        if let first = attachments.first, first.position == head { attachments.removeFirst() }
        head += taken
        if head == bytes.count {
            if bytes.capacity > Self.keptCapacity { bytes = [] } else { bytes.removeAll(keepingCapacity: true) }
            head = 0
        } else if head > Self.keptCapacity, head > bytes.count / 2 {
            // Without this a peer that always leaves a little behind would make the array grow for ever.
            bytes.removeFirst(head)
            for index in attachments.indices { attachments[index].position -= head }
            head = 0
        }
    }

    mutating func removeAll() {
        bytes = []
        head = 0
        attachments = []
    }
}
