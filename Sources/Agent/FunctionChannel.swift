import Linux

/// The agent's end of a function's descriptor 3 (protocol/FUNCTION.md). What the function sends is a stranger's: lengths are
/// checked before anything is kept, and a turn of the loop reads a bounded amount.
@LoopActor
final class FunctionChannel {
    enum Message {
        case hello([UInt8])
        case ready
        case initError([UInt8])
        case result(UInt32, [UInt8])
        case error(UInt32, [UInt8])
        case chunk(UInt32, [UInt8])
    }

    enum Event {
        case message(Message)
        /// The function closed its end, or sent something that no bootstrap would.
        case closed(reason: String)
    }

    enum Kind: UInt8 {
        case initialize = 1
        case invoke = 2
        case shutdown = 3
    }

    private static let headerSize = 12
    /// What one turn reads at most, so that a flooding function cannot keep others from their turn.
    private static let turnLimit = 4 << 20

    private let fd: OwnedFD
    /// The number of its descriptor, for whoever keeps a copy.
    var descriptor: Int32 { fd.rawValue }
    private let maximumBody: Int
    private var source: Reactor.Source?
    private var input: [UInt8] = []
    private var consumed = 0
    private var output: [UInt8] = []
    private var written = 0
    private var handler: (@LoopActor (Event) -> Void)?

    init(
        _ fd: consuming OwnedFD, maximumResult: Int, handler: @escaping @LoopActor (Event) -> Void
    ) throws(Errno) {
        try fd.setNonblocking(true)
        let raw = fd.rawValue
        self.fd = fd
        // A result may be as long as allowed; an error's text never needs to be longer than this.
        maximumBody = max(maximumResult, 256 << 10)
        self.handler = handler
        source = try Reactor.shared.watch(raw) { [weak self] readiness in self?.ready(readiness) }
    }

    func close() {
        handler = nil
        source?.cancel()
        source = nil
    }

    // MARK: Sending

    func send(_ kind: Kind, invocation: UInt32 = 0, prefix: [UInt8] = [], body: [UInt8]) {
        var head: [UInt8] = []
        head.reserveCapacity(Self.headerSize + prefix.count)
        let length = UInt32(prefix.count + body.count)
        for shift in [24, 16, 8, 0] as [UInt32] { head.append(UInt8(truncatingIfNeeded: length >> shift)) }
        head += [kind.rawValue, 0, 0, 0]
        for shift in [24, 16, 8, 0] as [UInt32] { head.append(UInt8(truncatingIfNeeded: invocation >> shift)) }
        head += prefix
        if output.isEmpty, body.count <= 64 << 10 {
            // The common case: one call, no copy of it kept.
            head += body
            guard let sent = transmit(head, from: 0) else { return }
            if sent == head.count { return }
            output = head
            written = sent
        } else {
            output += head
            output += body
            flush()
        }
        if !output.isEmpty { source?.setInterest([.readable, .writable]) }
    }

    private func flush() {
        while written < output.count {
            guard let sent = transmit(output, from: written), sent > 0 else { return }
            written += sent
        }
        output = []
        written = 0
        source?.setInterest(.readable)
    }

    /// What the socket took; nil when it is broken, which reading will report.
    private func transmit(_ bytes: [UInt8], from start: Int) -> Int? {
        do throws(Errno) {
            return try ByteIO.send(fd.rawValue, bytes, from: start)
        } catch .wouldBlock {
            return 0
        } catch {
            return nil
        }
    }

    // MARK: Receiving

    private func ready(_ readiness: Reactor.Readiness) {
        if readiness.contains(.writable) { flush() }
        if readiness.contains(.readable) || readiness.contains(.hangUp) || readiness.contains(.error) { receive() }
    }

    private func receive() {
        var budget = Self.turnLimit
        while budget > 0, handler != nil {
            let wanted = expected() - (input.count - consumed)
            do throws(Errno) {
                let count = try ByteIO.read(fd.rawValue, appendingTo: &input, max(wanted, 4096))
                if count == 0 { return fail("the function closed its channel") }
                budget -= count
            } catch .wouldBlock {
                return
            } catch {
                return fail("the function's channel broke: \(error)")
            }
            guard parse() else { return }
        }
    }

    /// Bytes of the message being read, header included.
    private func expected() -> Int {
        guard input.count - consumed >= Self.headerSize else { return Self.headerSize }
        return Self.headerSize + min(Int(word(consumed)), maximumBody)
    }

    private func word(_ at: Int) -> UInt32 {
        UInt32(input[at]) << 24 | UInt32(input[at + 1]) << 16 | UInt32(input[at + 2]) << 8 | UInt32(input[at + 3])
    }

    /// Hands out every complete message; false when the channel has ended.
    private func parse() -> Bool {
        while input.count - consumed >= Self.headerSize {
            let length = Int(word(consumed))
            let kind = input[consumed + 4]
            guard input[consumed + 5] == 0, input[consumed + 6] == 0, input[consumed + 7] == 0,
                (128...133).contains(kind)
            else {
                fail("the function sent something that is no message of protocol/FUNCTION.md")
                return false
            }
            guard length <= maximumBody else {
                fail("the function sent a message of \(length) bytes; at most \(maximumBody) are allowed")
                return false
            }
            guard input.count - consumed >= Self.headerSize + length else { break }
            let invocation = word(consumed + 8)
            let start = consumed + Self.headerSize
            let body = Array(input[start..<(start + length)])
            consumed = start + length
            let message: Message =
                switch kind {
                case 128: .hello(body)
                case 129: .ready
                case 130: .initError(body)
                case 131: .result(invocation, body)
                case 132: .error(invocation, body)
                default: .chunk(invocation, body)
                }
            handler?(.message(message))
            if handler == nil { return false }
        }
        if consumed == input.count {
            if input.capacity > 64 << 10 { input = [] } else { input.removeAll(keepingCapacity: true) }
            consumed = 0
        } else if consumed > 64 << 10 {
            input.removeFirst(consumed)
            consumed = 0
        }
        return true
    }

    private func fail(_ reason: String) {
        let last = handler
        close()
        last?(.closed(reason: reason))
    }
}
