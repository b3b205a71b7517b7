import Linux

/// The agent's end of a function's descriptor 3 (protocol/FUNCTION.md). What the function sends is a stranger's: lengths are
/// checked before anything is kept, and a turn of the loop reads a bounded amount.
@LoopActor
final class FunctionChannel {
    typealias Message = FunctionMessageDecoder.Message

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

    /// What one turn reads at most, so that a flooding function cannot keep others from their turn.
    private static let turnLimit = 4 << 20

    private let fd: OwnedFD
    /// The number of its descriptor, for whoever keeps a copy.
    var descriptor: Int32 { fd.rawValue }
    private var decoder: FunctionMessageDecoder
    private var source: Reactor.Source?
    private var output: [UInt8] = []
    private var written = 0
    private var handler: (@LoopActor (Event) -> Void)?

    init(
        _ fd: consuming OwnedFD, maximumResult: Int, handler: @escaping @LoopActor (Event) -> Void
    ) throws(Errno) {
        try fd.setNonblocking(true)
        let raw = fd.rawValue
        self.fd = fd
        decoder = FunctionMessageDecoder(maximumResult: maximumResult)
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
        head.reserveCapacity(FunctionMessageDecoder.headerSize + prefix.count)
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
            let wanted = max(decoder.missing, 4096)
            do throws(Errno) {
                let count = try decoder.fill { (input) throws(Errno) in
                    try ByteIO.read(fd.rawValue, appendingTo: &input, wanted)
                }
                if count == 0 { return fail("the function closed its channel") }
                budget -= count
                // A short read emptied the socket; what comes now is another turn's.
                if count < wanted { budget = 0 }
            } catch .wouldBlock {
                return
            } catch {
                return fail("the function's channel broke: \(error)")
            }
            guard parse() else { return }
        }
    }

    /// Hands out every complete message; false when the channel has ended.
    private func parse() -> Bool {
        do throws(FunctionMessageDecoder.Refusal) {
            while let message = try decoder.next() {
                handler?(.message(message))
                if handler == nil { return false }
            }
            return true
        } catch {
            fail(error.reason)
            return false
        }
    }

    private func fail(_ reason: String) {
        let last = handler
        close()
        last?(.closed(reason: reason))
    }
}
