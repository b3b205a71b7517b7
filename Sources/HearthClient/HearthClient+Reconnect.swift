import Glibc
import Linux
public import Wire

/// After the agent has been restarted.
extension HearthClient {
    /// Connects to the same path again, and waits for an agent that is just starting. What was under way on the old connection
    /// is over: those invocations have the outcome `agentRestarted`.
    /// - Parameter seconds: how long to try.
    /// - Returns: what the agent says of itself; another `bootID` than before tells that it was restarted.
    @discardableResult
    public func reconnect(within seconds: Double = 10) throws(HearthClientError) -> HearthInfoResponse {
        guard let path else { throw .refused("this client was given a socket, not a path; connect a new one") }
        let end = monotonicNow() + Int64(seconds * 1e9)
        while true {
            do throws(HearthClientError) {
                connection = try Connection(socket: Self.connect(path))
                return try info()
            } catch {
                guard Self.isPassing(error), monotonicNow() < end else { throw error }
            }
            usleep(20_000)
        }
    }

    /// What a start looks like from outside: no socket yet, nobody behind it, or a door that closes again.
    private static func isPassing(_ error: HearthClientError) -> Bool {
        switch error {
        case .connect(_, let errno): errno == .noEntry || errno == .connectionRefused
        case .disconnected, .unprocessed, .transport: true
        default: false
        }
    }
}
