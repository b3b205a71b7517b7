import SwiftProtobuf
import Wire

/// A descriptor of nothing.
private final class Token: Sendable {}

private let smallLimits = FrameLimits(maximumMessage: 8192, maximumStreams: 4, initialCredit: 4096)

extension FuzzTarget {
    /// The agent's end of a connection, with a user that answers, streams and grants as the input says.
    /// Input: repeatedly an action (one byte), a length (one byte), and so many bytes of the client.
    static let serverSession = FuzzTarget(name: "server-session", maximumLength: 8192) { input in
        var script = InputBytes(input)
        var session = ServerSession<Token>(limits: smallLimits)
        var credit: [UInt32: Int] = [:]
        var ended = false
        while !script.isAtEnd {
            let action = script.byte()
            let bytes = script.take(Int(script.byte()))
            let fds = action & 0x80 == 0 ? [] : [Token()]
            bytes.withUnsafeBytes { session.receive($0, fds: fds) }
            while let event = session.nextEvent() {
                expect(!ended, "an event after the end")
                switch event {
                case .request(let request):
                    expect(credit[request.stream] == nil, "a stream begins twice")
                    credit[request.stream] = 4096
                    expect(request.fds.count <= 16, "more descriptors than a frame may have")
                    _ = try? request.message(HearthInvokeRequest.self)
                    if action & 1 != 0 { session.respond(request.stream, body: bytes) }
                    if action & 2 != 0 { send(&session, request.stream, Int(action) * 64) }
                case .data(let stream, let data, _):
                    credit[stream, default: -1] -= data.count
                    expect(credit[stream, default: -1] >= 0, "more data than was granted")
                    if action & 4 != 0 {
                        session.consumed(stream, data.count)
                        credit[stream, default: 0] += data.count
                    }
                case .cancel(let stream):
                    session.respond(stream, error: HearthError(.cancelled, "cancelled", remedy: "none"))
                case .failed: ended = true
                case .opened, .drained, .pong, .goAway: break
                }
            }
            if action & 8 != 0, let stream = session.openStreams.min() { session.respond(stream, body: []) }
            if action & 16 != 0 { session.goAway("going") }
            if action & 32 != 0 { drain(&session.output) }
            expect(session.openStreamCount <= 4, "more streams than agreed")
            expect(session.isClosed || session.pendingBytes < 2_000_000, "what waits to be sent grows without bound")
        }
        session.receiveEnd()
        expect(session.isClosed, "the end of the connection leaves it open")
    }

    /// A client's end, with requests open.
    static let clientSession = FuzzTarget(name: "client-session", maximumLength: 8192) { input in
        var script = InputBytes(input)
        var session = ClientSession<Token>()
        var open: Set<UInt32> = []
        while !script.isAtEnd {
            let action = script.byte()
            let bytes = script.take(Int(script.byte()))
            let fds = action & 0x80 == 0 ? [] : [Token()]
            bytes.withUnsafeBytes { session.receive($0, fds: fds) }
            while let event = session.nextEvent() {
                switch event {
                case .response(let stream, _, let body, _):
                    expect(open.remove(stream) != nil, "a response to a stream that is not open")
                    _ = try? HearthInvokeResponse(serializedBytes: body)
                case .data(let stream, let data):
                    expect(open.contains(stream), "data of a stream that is not open")
                    if action & 4 != 0 { session.consumed(stream, data.count) }
                case .unprocessed(let stream):
                    expect(open.remove(stream) != nil, "a stream that is not open was not processed")
                case .opened, .drained, .pong, .goAway, .failed: break
                }
            }
            if action & 1 != 0, let id = try? session.request(method: 6, message: bytes, isComplete: false) {
                expect(open.insert(id).inserted, "a stream's number twice")
            }
            if action & 2 != 0, let stream = open.min() {
                _ = bytes.withUnsafeBytes { session.sendData(stream, $0) }
            }
            if action & 8 != 0, let stream = open.max() { session.cancel(stream) }
            if action & 16 != 0, let stream = open.min() { session.endData(stream) }
            if action & 32 != 0 { drain(&session.output) }
        }
        session.receiveEnd()
        expect(session.isClosed, "the end of the connection leaves it open")
    }

    private static func send(_ session: inout ServerSession<Token>, _ stream: UInt32, _ count: Int) {
        _ = [UInt8](repeating: 7, count: count).withUnsafeBytes { session.sendData(stream, channel: 1, $0) }
    }

    /// Writes in pieces, as a socket would take them.
    private static func drain(_ output: inout OutputBuffer<Token>) {
        while !output.isEmpty {
            _ = output.writeNext { (bytes, _) -> Int in min(bytes.count, 1000) }
        }
    }
}
