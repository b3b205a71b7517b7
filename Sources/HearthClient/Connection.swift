import Glibc
import Linux
import Wire

/// A descriptor on its way: the caller's own on the way out, one that is ours to close on the way in.
enum PassedFD: Sendable {
    case borrowed(Int32)
    case received(SharedFD)

    var rawValue: Int32 {
        switch self {
        case .borrowed(let fd): fd
        case .received(let fd): fd.rawValue
        }
    }
}

/// A socket and the client's end of the protocol on it. Blocking; for one thread at a time.
final class Connection {
    private let socket: OwnedFD
    private var session = ClientSession<PassedFD>()
    private let buffer: UnsafeMutableRawBufferPointer
    /// What came for streams that nobody waits for at the moment.
    private var inbox: [UInt32: Inbox] = [:]
    private var goAway: GoAway?

    private struct Inbox {
        var data: [[UInt8]] = []
        var ending: Ending?
    }

    /// How a stream ended.
    enum Ending {
        case response(isError: Bool, body: [UInt8])
        case unprocessed
    }

    /// One read takes as much as a full DATA frame and what is around it.
    private static let bufferSize = 128 << 10
    /// Bytes of an upload that wait for credit before more is read of the input.
    private static let uploadWindow = 128 << 10

    /// Greets the agent.
    init(socket: consuming OwnedFD) throws(HearthClientError) {
        self.socket = socket
        buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: Self.bufferSize, alignment: 16)
        let limit = monotonicNow() + 10_000_000_000
        while !session.isOpen {
            try exchange(Wait(until: limit))
            try collect()
            if session.isClosed { throw .disconnected(goAway?.text ?? "") }
        }
    }

    deinit {
        buffer.deallocate()
    }

    var limits: FrameLimits { session.limits }

    // MARK: Requests

    /// Opens a stream; the request leaves with the next `wait`, or at once with `flush`.
    func request(
        _ method: HearthMethod, _ message: [UInt8], deadline: UInt64?, fds: [Int32], isComplete: Bool
    ) throws(HearthClientError) -> UInt32 {
        do throws(RequestRefusal) {
            return try session.request(
                method: UInt16(method.rawValue), message: message, deadline: deadline,
                fds: fds.map { .borrowed($0) }, isComplete: isComplete)
        } catch {
            throw Self.explain(error, goAway)
        }
    }

    private static func explain(_ refusal: RequestRefusal, _ goAway: GoAway?) -> HearthClientError {
        switch refusal {
        case .notOpen: .disconnected(goAway?.text ?? "")
        case .goingAway: .unprocessed
        case .tooManyStreams(let limit):
            .refused("\(limit) requests are open on this connection already; wait for one, or open another connection")
        case .messageTooLarge(let size, let limit):
            .refused("a request of \(size) bytes, the agent takes \(limit); send the payload as a stream")
        case .tooManyDescriptors(let count): .refused("\(count) descriptors with one request; at most 16 may go")
        case .descriptorsNotAgreed: .refused("this agent does not take descriptors; stream the input and output")
        case .streamsUsedUp: .refused("all stream numbers of this connection are used; open another connection")
        }
    }

    func cancel(_ stream: UInt32) {
        session.cancel(stream)
    }

    /// Writes what waits, as far as the socket takes it without waiting.
    func flush() throws(HearthClientError) {
        while !session.output.isEmpty {
            do throws(Errno) {
                try writeOnce()
            } catch .wouldBlock {
                return
            } catch {
                throw lost(error)
            }
        }
    }

    /// Runs the connection until a stream has its response.
    /// - Parameters:
    ///   - upload: payload for the agent, on `channel` where the method has channels.
    ///   - onData: gets every DATA body of the stream.
    func wait(
        for stream: UInt32, options: CallOptions, upload: Upload? = nil, uploadChannel: UInt8? = nil,
        onData: (([UInt8]) -> StreamControl)? = nil
    ) throws(HearthClientError) -> Ending {
        var input = UploadState(upload, channel: uploadChannel)
        var wait = Wait(until: options.deadlineNanoseconds.map(Self.patience))
        wait.interrupt = options.interrupt
        while true {
            deliver(stream, onData)
            if let ending = inbox[stream]?.ending {
                inbox[stream] = nil
                return ending
            }
            guard !session.isClosed else { throw .disconnected(goAway?.text ?? "") }
            guard session.isOpen(stream: stream) else {
                throw .refused("this call was finished before; wait for each one once")
            }
            feed(&input, stream, &wait)
            try exchange(wait, onInput: { () throws(HearthClientError) in try self.readInput(&input, stream) }) {
                session.cancel(stream)
                input.isDone = true
                wait.interrupt = nil
            }
            try collect()
        }
    }

    /// The agent says that time is up; this is for an agent that says nothing.
    private static func patience(_ deadline: UInt64) -> Int64 {
        let grace: Int64 = 5_000_000_000
        let sum = monotonicNow().addingReportingOverflow(Int64(clamping: deadline))
        return sum.overflow || sum.partialValue > Int64.max - grace ? Int64.max : sum.partialValue + grace
    }

    private func deliver(_ stream: UInt32, _ onData: (([UInt8]) -> StreamControl)?) {
        guard let bodies = inbox[stream]?.data, !bodies.isEmpty else { return }
        inbox[stream]?.data = []
        for body in bodies {
            if onData?(body) == .stop { session.cancel(stream) }
            session.consumed(stream, body.count)
        }
    }

    // MARK: Upload

    private struct UploadState {
        var bytes: [UInt8] = []
        var offset = 0
        var descriptor: Int32?
        var isDone: Bool
        let channel: UInt8?

        init(_ upload: Upload?, channel: UInt8?) {
            self.channel = channel
            isDone = upload == nil
            switch upload {
            case .bytes(let bytes): self.bytes = bytes
            case .descriptor(let fd): descriptor = fd
            case nil: break
            }
        }
    }

    /// Queues more payload while little of it waits for credit and for the socket.
    private func feed(_ input: inout UploadState, _ stream: UInt32, _ wait: inout Wait) {
        wait.input = nil
        wait.hasMore = false
        while !input.isDone, session.pendingBytes(of: stream) < Self.uploadWindow {
            if let descriptor = input.descriptor {
                wait.input = descriptor
                return
            }
            guard session.output.count < Self.uploadWindow else {
                wait.hasMore = true
                return
            }
            let end = min(input.offset + Self.uploadWindow, input.bytes.count)
            let range = input.offset..<end
            input.bytes.withUnsafeBytes {
                _ = session.sendData(stream, channel: input.channel, UnsafeRawBufferPointer(rebasing: $0[range]))
            }
            input.offset = end
            if end == input.bytes.count {
                session.endData(stream)
                input.isDone = true
            }
        }
    }

    private func readInput(_ input: inout UploadState, _ stream: UInt32) throws(HearthClientError) {
        guard let descriptor = input.descriptor else { return }
        let count: Int
        do throws(Errno) {
            count = try Message.read(descriptor, into: buffer)
        } catch .wouldBlock {
            return
        } catch {
            session.cancel(stream)
            try? flush()
            throw .input("\(error)")
        }
        if count == 0 {
            session.endData(stream)
            input.isDone = true
        } else {
            let bytes = UnsafeRawBufferPointer(rebasing: buffer[..<count])
            session.sendData(stream, channel: input.channel, bytes)
        }
    }

    // MARK: Input and output

    private struct Wait {
        /// On the monotonic clock; nil waits for ever.
        var until: Int64?
        var input: Int32?
        var interrupt: Int32?
        /// There is payload to queue as soon as the socket takes what waits.
        var hasMore = false
    }

    /// Writes what waits and reads what comes; waits until at least one thing happened.
    ///
    /// With nothing but the answer to wait for there is no poll(2): one sendmsg and one blocking recvmsg are all that
    /// a warm invocation costs.
    private func exchange(
        _ wait: Wait, onInput: () throws(HearthClientError) -> Void = {}, onInterrupt: () -> Void = {}
    ) throws(HearthClientError) {
        try flush()
        if session.output.isEmpty, wait.until == nil, wait.input == nil, wait.interrupt == nil, !wait.hasMore {
            return try read(waiting: true)
        }
        // A descriptor of -1 is ignored by poll(2).
        var set = (
            pollfd(
                fd: socket.rawValue, events: Int16(POLLIN) | (session.output.isEmpty ? 0 : Int16(POLLOUT)), revents: 0),
            pollfd(fd: wait.input ?? -1, events: Int16(POLLIN), revents: 0),
            pollfd(fd: wait.interrupt ?? -1, events: Int16(POLLIN), revents: 0)
        )
        var milliseconds: Int32 = -1
        let isLook = wait.hasMore && session.output.isEmpty
        if isLook {
            milliseconds = 0
        } else if let until = wait.until {
            milliseconds = Int32(clamping: (max(0, until - monotonicNow()) + 999_999) / 1_000_000)
        }
        let ready: Int32
        do throws(Errno) {
            ready = try systemCall {
                // The tuple is three pollfd in a row, as the kernel expects an array of them.
                withUnsafeMutableBytes(of: &set) {
                    poll($0.assumingMemoryBound(to: pollfd.self).baseAddress, 3, milliseconds)
                }
            }
        } catch {
            throw .transport(error)
        }
        guard ready > 0 else {
            if isLook { return }
            throw .timedOut
        }
        if set.2.revents != 0 { onInterrupt() }
        if set.1.revents != 0 { try onInput() }
        if set.0.revents & ~Int16(POLLOUT) != 0 { try read(waiting: false) }
        try flush()
    }

    private func writeOnce() throws(Errno) {
        let fd = socket.rawValue
        _ = try session.output.writeNext { (bytes, fds) throws(Errno) in
            if fds.isEmpty { return try Message.send(fd, bytes) }
            return try Message.send(fd, bytes, descriptors: fds.map(\.rawValue))
        }
    }

    private func read(waiting: Bool) throws(HearthClientError) {
        do throws(Errno) {
            let (count, fds) = try Message.receive(socket.rawValue, into: buffer, wait: waiting)
            if count == 0 {
                session.receiveEnd()
            } else {
                session.receive(
                    UnsafeRawBufferPointer(rebasing: buffer[..<count]), fds: fds.map { .received($0) })
            }
        } catch .wouldBlock {
            return
        } catch .connectionReset {
            session.receiveEnd()
        } catch {
            throw .transport(error)
        }
    }

    /// A write that failed: what the agent said before it closed explains more than EPIPE does.
    private func lost(_ error: Errno) -> HearthClientError {
        guard error == .brokenPipe || error == .connectionReset else { return .transport(error) }
        do throws(HearthClientError) {
            while !session.isClosed { try read(waiting: true) }
            try collect()
        } catch {
            return error
        }
        return .disconnected(goAway?.text ?? "")
    }

    /// Sorts what came into the inbox.
    private func collect() throws(HearthClientError) {
        while let event = session.nextEvent() {
            switch event {
            case .opened, .drained, .pong: break
            case .response(let stream, let isError, let body, _):
                inbox[stream, default: Inbox()].ending = .response(isError: isError, body: body)
            case .data(let stream, let bytes):
                inbox[stream, default: Inbox()].data.append(bytes)
            case .unprocessed(let stream):
                inbox[stream, default: Inbox()].ending = .unprocessed
            case .goAway(let goAway):
                self.goAway = goAway
            case .failed(let error):
                try? flush()
                throw .broken(error.description)
            }
        }
    }
}
