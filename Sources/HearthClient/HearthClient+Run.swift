public import Wire

/// A run under way on a client's connection.
public struct PendingRun: Sendable, Hashable {
    let stream: UInt32
}

extension HearthClient {
    /// Sends a run without waiting for it.
    /// - Parameter stdio: stdin, stdout and stderr; they stay the caller's.
    public func begin(
        _ request: HearthRunRequest, stdio: (Int32, Int32, Int32), options: CallOptions = .default
    ) throws(HearthClientError) -> PendingRun {
        let stream = try connection.request(
            .run, Self.encode(request), deadline: options.deadlineNanoseconds, fds: [stdio.0, stdio.1, stdio.2],
            isComplete: true)
        try connection.flush()
        return PendingRun(stream: stream)
    }

    /// Waits for a run that `begin` sent. Each may be finished once.
    public func finish(
        _ run: PendingRun, options: CallOptions = .default
    ) throws(HearthClientError) -> HearthRunResponse {
        try Self.decode(connection.wait(for: run.stream, options: options))
    }

    /// Runs a program in a sandbox of its own on these three descriptors: its output does not pass through the agent.
    /// - Parameter stdio: stdin, stdout and stderr; they stay the caller's.
    public func run(
        _ request: HearthRunRequest, stdio: (Int32, Int32, Int32), options: CallOptions = .default
    ) throws(HearthClientError) -> HearthRunResponse {
        try call(.run, request, options: options, fds: [stdio.0, stdio.1, stdio.2])
    }

    /// Runs a program in a sandbox of its own, its input and output carried by the agent.
    public func run(
        _ request: HearthRunRequest, input: Upload? = nil, options: CallOptions = .default,
        onOutput: @escaping (Channel, ArraySlice<UInt8>) -> StreamControl
    ) throws(HearthClientError) -> HearthRunResponse {
        var request = request
        request.stdinFollows = input != nil
        return try call(
            .run, request, options: options, upload: input, uploadChannel: 0, onData: Self.channels(onOutput))
    }
}
