import Glibc
package import Linux
package import SwiftProtobuf
package import Wire

/// A connection to a node agent.
///
/// Calls block until their response is there. A client is for one thread at a time (it is not `Sendable`); open one for each
/// thread. Several invocations may be under way at once with `begin` and `finish`.
public final class HearthClient {
    var connection: Connection
    /// Where it connected; nil for a socket that was handed over.
    let path: String?

    /// Where the agent listens when nothing else is said.
    public static let defaultSocketPath = "/run/hearth/agent.sock"

    /// Connects and greets.
    /// - Parameter socketPath: nil stands for the environment variable `HEARTH_SOCKET`, and without that the default path.
    public convenience init(socketPath: String? = nil) throws(HearthClientError) {
        let path = socketPath ?? Self.environmentSocketPath ?? Self.defaultSocketPath
        try self.init(connection: Connection(socket: Self.connect(path)), path: path)
    }

    private init(connection: Connection, path: String?) {
        self.connection = connection
        self.path = path
    }

    /// Takes over a connected stream socket in blocking mode.
    package convenience init(socket: consuming OwnedFD) throws(HearthClientError) {
        self.init(connection: try Connection(socket: socket), path: nil)
    }

    static func connect(_ path: String) throws(HearthClientError) -> OwnedFD {
        do throws(Errno) {
            let socket = try UnixSocket.connect(path: path, kind: .stream)
            try socket.setNonblocking(false)
            return socket
        } catch {
            throw .connect(path: path, error)
        }
    }

    private static var environmentSocketPath: String? {
        guard let value = getenv("HEARTH_SOCKET"), value.pointee != 0 else { return nil }
        return String(cString: value)
    }

    /// One request and its response, for any method.
    package func call<Response: SwiftProtobuf.Message>(
        _ method: HearthMethod, _ request: some SwiftProtobuf.Message, options: CallOptions = .default,
        fds: [Int32] = [], upload: Upload? = nil, uploadChannel: UInt8? = nil,
        onData: (([UInt8]) -> StreamControl)? = nil
    ) throws(HearthClientError) -> Response {
        let stream = try connection.request(
            method, Self.encode(request), deadline: options.deadlineNanoseconds, fds: fds, isComplete: upload == nil)
        let ending = try connection.wait(
            for: stream, options: options, upload: upload, uploadChannel: uploadChannel, onData: onData)
        return try Self.decode(ending)
    }

    static func encode(_ message: some SwiftProtobuf.Message) throws(HearthClientError) -> [UInt8] {
        do {
            return try message.serializedBytes()
        } catch {
            throw .refused("the request cannot be encoded: \(error)")
        }
    }

    static func decode<Response: SwiftProtobuf.Message>(
        _ ending: Connection.Ending
    ) throws(HearthClientError) -> Response {
        guard case .response(let isError, let body) = ending else { throw .unprocessed }
        let error: HearthError
        do {
            guard isError else { return try Response(serializedBytes: body) }
            error = try HearthError(serializedBytes: body)
        } catch {
            throw .broken("a response that is not a \(isError ? "Error" : Response.protoMessageName) message")
        }
        throw .agent(error)
    }
}
