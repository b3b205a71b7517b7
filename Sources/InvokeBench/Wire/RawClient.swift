import CreateBench
import Glibc
import Linux
import Wire

/// A connection without the client library: what is measured is the agent and the protocol.
final class RawClient {
    private let socket: OwnedFD
    private var session = ClientSession<SharedFD>()
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 128 << 10, alignment: 16)
    private var pings: UInt64 = 0

    init(path: String) throws(BenchError) {
        do throws(Errno) {
            socket = try UnixSocket.connect(path: path, kind: .stream)
            try socket.setNonblocking(false)
        } catch {
            throw .system(what: "connecting to \(path)", error)
        }
        while !session.isOpen { _ = try exchange() }
    }

    deinit {
        buffer.deallocate()
    }

    /// PING and its PONG, in nanoseconds.
    func ping() throws(BenchError) -> Int64 {
        pings += 1
        let begin = monotonicNow()
        session.ping(pings)
        while true {
            for event in try exchange() {
                if case .pong(let value) = event, value == pings { return monotonicNow() - begin }
            }
        }
    }

    /// A request that is encoded already, and the body of its response.
    func call(
        _ method: HearthMethod, _ message: [UInt8]
    ) throws(BenchError) -> (nanoseconds: Int64, isError: Bool, body: [UInt8]) {
        let begin = monotonicNow()
        do throws(RequestRefusal) {
            _ = try session.request(method: UInt16(method.rawValue), message: message)
        } catch {
            throw .agent(about: "\(method)", said: "the request was not taken: \(error)")
        }
        while true {
            for event in try exchange() {
                if case .response(_, let isError, let body, _) = event {
                    return (monotonicNow() - begin, isError, body)
                }
            }
        }
    }

    /// Sends what waits, reads once, and gives what came of it.
    private func exchange() throws(BenchError) -> [ClientEvent<SharedFD>] {
        do throws(Errno) {
            while !session.output.isEmpty {
                let fd = socket.rawValue
                _ = try session.output.writeNext { (bytes, _) throws(Errno) in
                    try Message.send(fd, bytes, wait: true)
                }
            }
            let (count, fds) = try Message.receive(socket.rawValue, into: buffer, wait: true)
            if count == 0 { throw .connectionReset }
            session.receive(UnsafeRawBufferPointer(rebasing: buffer[..<count]), fds: fds)
        } catch {
            throw .system(what: "the connection to the agent", error)
        }
        var events: [ClientEvent<SharedFD>] = []
        while let event = session.nextEvent() { events.append(event) }
        return events
    }
}
