public import Wire

/// An invocation under way on a client's connection.
public struct PendingInvocation: Sendable, Hashable {
    let stream: UInt32
}

extension HearthClient {
    /// Invokes a function and waits for its response. Whatever becomes of the invocation is the response's outcome; errors
    /// thrown say that the agent did not take it.
    /// - Parameters:
    ///   - payload: instead of `request.payload`, for one that is large or not yet all there.
    ///   - onStream: gets the result (with `request.streamResult`) and the logs (with `streamLogs`) as they come.
    public func invoke(
        _ request: HearthInvokeRequest, payload: Upload? = nil, options: CallOptions = .default,
        onStream: ((Channel, ArraySlice<UInt8>) -> StreamControl)? = nil
    ) throws(HearthClientError) -> HearthInvokeResponse {
        guard let payload else {
            return try call(.invoke, request, options: options, onData: onStream.map(Self.channels))
        }
        var request = request
        request.payloadFollows = true
        return try call(
            .invoke, request, options: options, upload: payload, uploadChannel: 0, onData: onStream.map(Self.channels))
    }

    /// Sends an invocation without waiting for it.
    public func begin(
        _ request: HearthInvokeRequest, options: CallOptions = .default
    ) throws(HearthClientError) -> PendingInvocation {
        let stream = try connection.request(
            .invoke, Self.encode(request), deadline: options.deadlineNanoseconds, fds: [], isComplete: true)
        try connection.flush()
        return PendingInvocation(stream: stream)
    }

    /// Waits for an invocation that `begin` sent. Each may be finished once.
    public func finish(
        _ invocation: PendingInvocation, options: CallOptions = .default
    ) throws(HearthClientError) -> HearthInvokeResponse {
        try Self.decode(try connection.wait(for: invocation.stream, options: options))
    }

    /// Asks the agent to stop an invocation; `finish` still brings its outcome.
    public func cancel(_ invocation: PendingInvocation) throws(HearthClientError) {
        connection.cancel(invocation.stream)
        try connection.flush()
    }

    /// Takes the channel off a DATA body. One that this client does not know is passed over.
    static func channels(
        _ onStream: @escaping (Channel, ArraySlice<UInt8>) -> StreamControl
    ) -> ([UInt8]) -> StreamControl {
        { body in
            guard let first = body.first, let channel = Channel(rawValue: first) else { return .more }
            return onStream(channel, body.dropFirst())
        }
    }
}
