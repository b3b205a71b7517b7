/// What a function wrote to its stdout and stderr, as it came, bounded: the end is kept, for that is where the reason stands.
struct LogBuffer {
    private let limit: Int
    private var bytes: [UInt8] = []
    private(set) var isTruncated = false

    init(limit: Int) {
        self.limit = limit
    }

    mutating func append(_ more: ArraySlice<UInt8>) {
        bytes.append(contentsOf: more)
        // Twice the limit before cutting, so that a flood costs one move for each `limit` bytes, not one for each write.
        if bytes.count > 2 * limit {
            bytes.removeFirst(bytes.count - limit)
            isTruncated = true
        }
    }

    /// Whether the text stands in what is kept.
    func contains(_ text: String) -> Bool { bytes.contains(text.utf8) }

    /// The last `limit` bytes; the buffer is empty afterwards.
    mutating func take() -> (bytes: [UInt8], truncated: Bool) {
        defer {
            bytes = []
            isTruncated = false
        }
        if bytes.count > limit { return (Array(bytes.suffix(limit)), true) }
        return (bytes, isTruncated)
    }
}
