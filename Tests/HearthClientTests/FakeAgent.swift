import Glibc
import Linux
import SwiftProtobuf
import Testing

@testable import HearthClient
@testable import Wire

/// An agent of a few lines on the other end of a socket pair: a `ServerSession`, a thread, and a handler a test gives it.
final class FakeAgent: Sendable {
    typealias Session = ServerSession<SharedFD>
    typealias Handler = @Sendable (inout Session, ServerEvent<SharedFD>) -> Void

    private let thread: pthread_t

    /// - Parameter handler: gets every event on the agent's thread.
    static func pair(
        limits: FrameLimits = .default, _ handler: @escaping Handler
    ) throws -> (client: HearthClient, agent: FakeAgent) {
        var fds: [Int32] = [-1, -1]
        let result = socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &fds)
        try #require(result == 0)
        let agent = FakeAgent(fd: fds[1], limits: limits, handler)
        return (try HearthClient(socket: OwnedFD(owning: fds[0])), agent)
    }

    private init(fd: Int32, limits: FrameLimits, _ handler: @escaping Handler) {
        final class Body { let run: () -> Void; init(_ run: @escaping () -> Void) { self.run = run } }
        let body = Unmanaged.passRetained(Body { FakeAgent.serve(fd, limits, handler) })
        var created = pthread_t()
        pthread_create(
            &created, nil,
            { argument in
                argument.map { Unmanaged<Body>.fromOpaque($0).takeRetainedValue().run() }
                return nil
            }, body.toOpaque())
        thread = created
    }

    /// Waits until the agent's thread saw the end of the connection.
    func join() { pthread_join(thread, nil) }

    private static func serve(_ fd: Int32, _ limits: FrameLimits, _ handler: Handler) {
        let socket = OwnedFD(owning: fd)
        var session = Session(limits: limits)
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 65536, alignment: 16)
        defer { buffer.deallocate() }
        while !session.isClosed {
            guard let (count, fds) = try? Linux.Message.receive(socket.rawValue, into: buffer, wait: true), count > 0
            else { return }
            session.receive(UnsafeRawBufferPointer(rebasing: buffer[..<count]), fds: fds)
            while let event = session.nextEvent() { handler(&session, event) }
            while !session.output.isEmpty {
                let sent = try? session.output.writeNext { (bytes, fds) throws(Errno) in
                    try Linux.Message.send(socket.rawValue, bytes, descriptors: fds.map(\.rawValue), wait: true)
                }
                guard sent != nil else { return }
            }
        }
    }
}

extension FakeAgent.Session {
    mutating func send(_ stream: UInt32, channel: UInt8, _ bytes: [UInt8]) {
        bytes.withUnsafeBytes { _ = sendData(stream, channel: channel, $0) }
    }
}
