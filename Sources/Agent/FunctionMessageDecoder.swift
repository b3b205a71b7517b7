/// Cuts what a function writes to its descriptor 3 into messages (protocol/FUNCTION.md), without I/O.
///
/// The function is a stranger: a header is refused before its body is waited for, and never more than one message beyond what
/// was handed out is held.
package struct FunctionMessageDecoder: Sendable {
    package enum Message: Sendable, Equatable {
        case hello([UInt8])
        case ready
        case initError([UInt8])
        case result(UInt32, [UInt8])
        case error(UInt32, [UInt8])
        case chunk(UInt32, [UInt8])
    }

    /// The function sent something that no bootstrap would; nothing after it can be understood.
    package struct Refusal: Error, Equatable {
        package let reason: String
    }

    package static let headerSize = 12
    private static let keptCapacity = 64 << 10

    package let maximumBody: Int
    private var input: [UInt8] = []
    private var consumed = 0

    package init(maximumResult: Int) {
        // A result may be as long as allowed; an error's text never needs to be longer than this.
        maximumBody = max(maximumResult, 256 << 10)
    }

    /// Bytes held that no message has been made of.
    package var heldBytes: Int { input.count - consumed }

    /// Bytes that the message being read still lacks; at least 1.
    package var missing: Int {
        guard heldBytes >= Self.headerSize else { return Self.headerSize - heldBytes }
        return max(1, Self.headerSize + min(Int(word(consumed)), maximumBody) - heldBytes)
    }

    /// Takes more of the stream: `body` appends to the buffer.
    package mutating func fill<E: Error>(_ body: (inout [UInt8]) throws(E) -> Int) throws(E) -> Int {
        try body(&input)
    }

    /// The next whole message; nil when more has to come.
    package mutating func next() throws(Refusal) -> Message? {
        guard heldBytes >= Self.headerSize else {
            compact()
            return nil
        }
        let length = Int(word(consumed))
        let kind = input[consumed + 4]
        guard input[consumed + 5] == 0, input[consumed + 6] == 0, input[consumed + 7] == 0,
            (128...133).contains(kind)
        else { throw Refusal(reason: "the function sent something that is no message of protocol/FUNCTION.md") }
        guard length <= maximumBody else {
            throw Refusal(
                reason: "the function sent a message of \(length) bytes; at most \(maximumBody) are allowed")
        }
        guard heldBytes >= Self.headerSize + length else {
            compact()
            return nil
        }
        let invocation = word(consumed + 8)
        let start = consumed + Self.headerSize
        let body = Array(input[start..<(start + length)])
        consumed = start + length
        switch kind {
        case 128: return .hello(body)
        case 129: return .ready
        case 130: return .initError(body)
        case 131: return .result(invocation, body)
        case 132: return .error(invocation, body)
        default: return .chunk(invocation, body)
        }
    }

    private mutating func compact() {
        if consumed == input.count {
            if input.capacity > Self.keptCapacity { input = [] } else { input.removeAll(keepingCapacity: true) }
            consumed = 0
        } else if consumed > Self.keptCapacity {
            input.removeFirst(consumed)
            consumed = 0
        }
    }

    private func word(_ at: Int) -> UInt32 {
        UInt32(input[at]) << 24 | UInt32(input[at + 1]) << 16 | UInt32(input[at + 2]) << 8 | UInt32(input[at + 3])
    }
}
