import AgentTestSupport
import Glibc
import Linux
import Wire

/// A connection whose bytes the test chooses.
final class RawConnection {
    private let socket: OwnedFD

    /// - Parameter greet: HELLO is sent and WELCOME taken.
    init(_ agent: TestAgent, greet: Bool = true) throws {
        socket = try UnixSocket.connect(path: agent.socket, kind: .stream)
        try socket.setNonblocking(false)
        guard greet else { return }
        try send(Self.hello())
        let welcome = try receiveFrame()
        guard welcome.kind == FrameKind.welcome.rawValue else {
            throw TestFailure("no WELCOME but kind \(welcome.kind)")
        }
    }

    static func hello(magic: UInt32 = 0x4852_5448, major: UInt16 = 1) -> [UInt8] {
        frame(kind: 1, body: big(magic) + big(major) + big(UInt16(0)) + big(UInt64(0)))
    }

    static func frame(
        kind: UInt8, stream: UInt32 = 0, flags: UInt8 = 0, method: UInt16 = 0, length: UInt32? = nil, body: [UInt8] = []
    ) -> [UInt8] {
        big(length ?? UInt32(body.count)) + big(stream) + [kind, flags, 0, 0] + big(method) + [0, 0] + body
    }

    static func big<Value: FixedWidthInteger>(_ value: Value) -> [UInt8] {
        stride(from: Value.bitWidth - 8, through: 0, by: -8).map { UInt8(truncatingIfNeeded: value >> $0) }
    }

    /// A REQUEST without a deadline.
    static func request(_ method: HearthMethod, stream: UInt32 = 1, complete: Bool = true, _ message: [UInt8])
        -> [UInt8]
    {
        frame(
            kind: 3, stream: stream, flags: complete ? 1 : 0, method: UInt16(method.rawValue),
            body: big(UInt64(0)) + message)
    }

    func send(_ bytes: [UInt8]) throws { try Message.writeAll(socket.rawValue, bytes) }

    struct Received {
        var kind: UInt8
        var flags: UInt8
        var stream: UInt32
        var body: [UInt8]
    }

    func receiveFrame(within seconds: Double = patience) throws -> Received {
        let header = try read(16, seconds)
        func number(_ range: Range<Int>) -> UInt32 { header[range].reduce(0) { $0 << 8 | UInt32($1) } }
        let body = try read(Int(number(0..<4)), seconds)
        return Received(kind: header[8], flags: header[9], stream: number(4..<8), body: body)
    }

    private func read(_ count: Int, _ seconds: Double) throws -> [UInt8] {
        var bytes: [UInt8] = []
        while bytes.count < count {
            var entry = pollfd(fd: socket.rawValue, events: Int16(POLLIN), revents: 0)
            guard poll(&entry, 1, Int32(seconds * 1000)) > 0 else { throw TestFailure("no answer within \(seconds) s") }
            var buffer = [UInt8](repeating: 0, count: count - bytes.count)
            let got = Glibc.read(socket.rawValue, &buffer, buffer.count)
            guard got > 0 else { throw TestFailure("the connection ended after \(bytes.count) of \(count) bytes") }
            bytes += buffer[..<got]
        }
        return bytes
    }

    /// The GOAWAY that ends a connection: its code and text. Frames before it are passed over.
    func goAway() throws -> (code: UInt32, text: String) {
        while true {
            let frame = try receiveFrame()
            guard frame.kind == FrameKind.goAway.rawValue else { continue }
            let code = frame.body[4..<8].reduce(0) { $0 << 8 | UInt32($1) }
            return (code, String(decoding: frame.body[8...], as: UTF8.self))
        }
    }

    /// Whether the agent closes the connection now.
    func isClosed(within seconds: Double = 30) -> Bool {
        var entry = pollfd(fd: socket.rawValue, events: Int16(POLLIN), revents: 0)
        var byte: UInt8 = 0
        while poll(&entry, 1, Int32(seconds * 1000)) > 0 {
            if Glibc.read(socket.rawValue, &byte, 1) <= 0 { return true }
        }
        return false
    }
}
