public import Linux
public import Wire

/// Why a call has no response.
public enum HearthClientError: Error, Sendable, CustomStringConvertible {
    /// There is no agent at the path, or it may not be reached.
    case connect(path: String, Errno)
    /// The socket failed.
    case transport(Errno)
    /// The connection ended before the response: the request may or may not have been carried out.
    case disconnected(String)
    /// The agent is going away and did not touch the request: it may be repeated on another connection.
    case unprocessed
    /// The agent answered with an error.
    case agent(HearthError)
    /// What came is not the protocol. The connection is closed.
    case broken(String)
    /// The request was not sent: it breaks a limit of the connection.
    case refused(String)
    /// No response came in the deadline and the time that the agent has to say so.
    case timedOut
    /// The input for an upload could not be read.
    case input(String)

    public var description: String {
        switch self {
        case .connect(let path, let errno):
            "cannot connect to \(path): \(errno); start hearthd, or set HEARTH_SOCKET to its socket"
        case .transport(let errno):
            "the connection to the agent failed: \(errno); look at the agent's log and try again"
        case .disconnected(let text):
            "the agent closed the connection\(text.isEmpty ? "" : ": \(text)"); the request may have been carried out"
        case .unprocessed:
            "the agent is going away and did not begin the request; try again on another connection"
        case .agent(let error):
            error.remedy.isEmpty ? error.message : "\(error.message); \(error.remedy)"
        case .broken(let detail):
            "what the agent sent is not version \(Handshake.major) of the protocol (\(detail)); compare the versions"
        case .refused(let reason):
            reason
        case .timedOut:
            "the agent gave no answer in time, not even that time is up; look whether hearthd is stuck"
        case .input(let reason):
            "the input cannot be read: \(reason)"
        }
    }

    /// The outcome of an invocation that ended in this error: `agentRestarted` where its answer is unknown, since the connection
    /// ended before it. It may have been carried out, in part or whole; `HearthClient.reconnect` finds the agent again, and
    /// the agent's statistics and journal count what ran when it ended. Nil where the agent did not take the invocation.
    public var outcome: HearthOutcome? {
        switch self {
        case .disconnected: .agentRestarted
        case .transport(.brokenPipe), .transport(.connectionReset): .agentRestarted
        default: nil
        }
    }

    /// The agent's code where it answered with an error.
    public var code: HearthErrorCode? {
        if case .agent(let error) = self { error.code } else { nil }
    }
}
