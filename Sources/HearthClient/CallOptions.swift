/// How one call is made.
public struct CallOptions: Sendable {
    /// Nanoseconds that the agent has from the request's arrival; nil for no bound.
    public var deadlineNanoseconds: UInt64?
    /// A descriptor that ends the call when it becomes readable (a signalfd or an eventfd, for example): CANCEL is sent,
    /// and the call ends with the agent's answer to that. Nothing is read from it.
    public var interrupt: Int32?

    public init(deadlineNanoseconds: UInt64? = nil, interrupt: Int32? = nil) {
        self.deadlineNanoseconds = deadlineNanoseconds
        self.interrupt = interrupt
    }

    public static let `default` = CallOptions()
}

/// Payload for the agent: code, a large payload, stdin.
public enum Upload: Sendable {
    case bytes([UInt8])
    /// Read to its end as the agent takes it; not closed. Pipes and terminals are waited for together with the socket.
    case descriptor(Int32)
}

/// What a byte of a streamed answer belongs to (SPEC section 6).
public enum Channel: UInt8, Sendable {
    case standardOutput = 1
    case standardError = 2
    case result = 3
}

/// What the receiver of a stream wants next.
public enum StreamControl: Sendable {
    case more
    /// Sends CANCEL; the call ends with the agent's answer to that.
    case stop
}
