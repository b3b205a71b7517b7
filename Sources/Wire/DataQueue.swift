/// Payload bytes of one stream that wait for credit, in order.
///
/// On streams with channels every DATA body begins with the channel's byte, so pieces keep their channel apart until
/// they are cut into frames.
struct DataQueue: Sendable {
    struct Piece: Sendable {
        let channel: UInt8?
        var bytes: [UInt8]
        var head = 0

        var count: Int { bytes.count - head }
    }

    private var pieces: [Piece] = []
    private var first = 0
    /// Payload bytes in all, channel bytes not counted.
    private(set) var count = 0

    var isEmpty: Bool { count == 0 }

    mutating func append(_ bytes: UnsafeRawBufferPointer, channel: UInt8?) {
        guard !bytes.isEmpty else { return }
        count += bytes.count
        // Small writes of a slow stream share an array: an allocation each would cost more than the bytes.
        if let last = pieces.indices.last, pieces[last].channel == channel,
            pieces[last].bytes.count + bytes.count <= Int(FrameLimits.maximumData)
        {
            pieces[last].bytes.append(contentsOf: bytes)
        } else {
            pieces.append(Piece(channel: channel, bytes: [UInt8](bytes)))
        }
    }

    /// Takes the next DATA body's worth: at most `limit` bytes with the channel byte, all of one channel.
    /// - Parameter use: gets the channel and the bytes.
    /// - Returns: the body's size, or nil when `limit` does not allow one byte of payload.
    mutating func next(limit: Int, _ use: (UInt8?, UnsafeRawBufferPointer) -> Void) -> Int? {
        guard first < pieces.count else { return nil }
        let overhead = pieces[first].channel == nil ? 0 : 1
        let taken = min(limit - overhead, pieces[first].count)
        guard taken > 0 else { return nil }
        let head = pieces[first].head
        pieces[first].bytes.withUnsafeBytes {
            use(pieces[first].channel, UnsafeRawBufferPointer(rebasing: $0[head..<head + taken]))
        }
        pieces[first].head += taken
        count -= taken
        if pieces[first].count == 0 {
            pieces[first].bytes = []
            first += 1
            if first == pieces.count {
                pieces.removeAll(keepingCapacity: true)
                first = 0
            } else if first > 64 {
                pieces.removeFirst(first)
                first = 0
            }
        }
        return taken + overhead
    }

    mutating func removeAll() {
        self = DataQueue()
    }
}
