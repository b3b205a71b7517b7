extension HearthError: Error {}

extension HearthError {
    /// An error of the agent's, complete: what was wrong, with which thing, and what to do.
    package init(
        _ code: HearthErrorCode, _ message: String, remedy: String, retryable: Bool = false, errno: Int32 = 0,
        stage: String = ""
    ) {
        self.init()
        self.code = code
        self.message = message
        self.remedy = remedy
        self.retryable = retryable
        self.errno = errno
        self.stage = stage
    }

    package static func unknownMethod(_ method: UInt16) -> HearthError {
        HearthError(
            .unimplemented, "method \(method) is not known to this agent",
            remedy: "ask Info for the agent's version and features, or upgrade the agent")
    }

    static func malformedMessage(_ name: String) -> HearthError {
        HearthError(
            .invalidArgument, "the request's body is not a \(name) message",
            remedy: "encode it as hearth.proto says, after the 8 bytes of the deadline")
    }

    static func responseTooLarge(_ size: Int, limit: UInt32) -> HearthError {
        HearthError(
            .tooLarge, "the response has \(size) bytes, the connection's limit is \(limit)",
            remedy: "ask for less at once, or for the result as a stream (stream_result)")
    }
}
