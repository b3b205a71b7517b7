import Linux
import Wire

/// The method Invoke: payload in, one outcome out, result and logs streamed where the client wants them so.
@LoopActor
final class InvokeStream: Session.StreamHandler {
    /// Output that waits for a client; above it the function's pipes are not read, and the function waits.
    private static let slowReader = 1 << 20
    private static let stdoutChannel: UInt8 = 1
    private static let resultChannel: UInt8 = 3

    private let session: Session
    private let stream: UInt32
    private let request: HearthInvokeRequest
    private let function: FunctionRecord
    private let arrived: Int64
    private let deadline: Int64?
    private var payload: [UInt8]
    private var invocation: Invocation?

    private init(
        _ session: Session, _ stream: UInt32, _ request: HearthInvokeRequest, _ function: FunctionRecord,
        arrived: Int64, deadline: Int64?
    ) {
        self.session = session
        self.stream = stream
        self.request = request
        self.function = function
        self.arrived = arrived
        self.deadline = deadline
        payload = [UInt8](request.payload)
    }

    static func start(
        _ request: ServerRequest<SharedFD>, _ session: Session
    ) throws(AgentError) -> (any Session.StreamHandler)? {
        let arrived = monotonicNow()
        let message = try RequestRouter.decode(request, HearthInvokeRequest.self)
        try session.agent.checkAccepting()
        let function = try session.agent.function(named: message.function)
        guard session.agent.environment.hasImage(function.image) else { throw .imageNotFound(function.image) }
        if message.qualifier != 0, message.qualifier != function.generation {
            throw AgentError(
                .failedPrecondition,
                "'\(function.name)' is at generation \(function.generation), not \(message.qualifier)",
                remedy: "ask for the generation that is there, or for none")
        }
        try session.agent.checkPayload(message.payload.count)
        let stream = InvokeStream(
            session, request.stream, message, function, arrived: arrived,
            deadline: request.deadline.map { monotonicNow(plus: Int64(clamping: $0)) })
        if !message.payloadFollows { stream.begin() }
        return stream
    }

    private func begin() {
        let asked = request.timeoutNs == 0 ? function.timeout : Int64(clamping: request.timeoutNs)
        let invocation = Invocation(
            id: session.agent.nextInvocation(), function: function, payload: payload, user: request.user,
            session: request.session, timeout: min(max(asked, 1_000_000), function.timeout), arrived: arrived
        ) { [self] invocation, result in
            answer(invocation, result)
        }
        payload = []
        if request.streamResult {
            invocation.onChunk = { [self] bytes in session.send(stream, channel: Self.resultChannel, bytes) }
        }
        if request.streamLogs {
            invocation.onLog = { [self] channel, bytes in session.send(stream, channel: channel, Array(bytes)) }
        }
        self.invocation = invocation
        session.agent.prediction?.invoked(invocation)
        session.agent.pool.submit(invocation, deadline: deadline)
    }

    private func answer(_ invocation: Invocation, _ result: InvocationResult) {
        var response = HearthInvokeResponse()
        response.outcome = result.outcome.wire
        response.startKind = invocation.startKind
        response.timing = invocation.times.wire
        response.invocationID = String(invocation.id)
        response.sandboxID = invocation.sandboxName
        response.generation = function.generation
        response.expectedWaitNs = UInt64(max(0, result.expectedWait))
        if let failure = result.failure { response.error = failure.wire }
        if result.outcome != .ok || request.wantLogs {
            response.logs = .init(result.logs)
            response.logsTruncated = result.logsTruncated
        }
        response.usage.cpuUserNs = UInt64(max(0, result.userNanoseconds))
        response.usage.cpuSystemNs = UInt64(max(0, result.systemNanoseconds))
        response.usage.peakMemoryBytes = UInt64(max(0, result.peakMemory))
        if request.streamResult {
            if !result.payload.isEmpty { session.send(stream, channel: Self.resultChannel, result.payload) }
            response.payloadStreamed = true
        } else if result.payload.count + result.logs.count + 4096 > session.messageLimit {
            response.outcome = .functionError
            response.error =
                FailureDetail(
                    type: "ResultTooLarge",
                    message:
                        "the result of '\(function.name)' has \(result.payload.count) bytes, more than one message holds",
                    hint: "take the result as a stream (stream_result)"
                ).wire
            response.logs = .init(result.logs.suffix(64 << 10))
        } else {
            response.payload = .init(result.payload)
        }
        // The answer first: what is noted of it is nothing that the client should wait for.
        session.respond(stream, response)
        session.agent.recorded(invocation, result)
    }

    // MARK: The stream

    func received(_ bytes: [UInt8], end: Bool) {
        session.consumed(stream, bytes.count)
        guard invocation == nil, request.payloadFollows else { return }
        // The first byte of a DATA body is its channel; stdin is 0.
        if let channel = bytes.first {
            guard channel == 0 else {
                return session.respond(
                    stream, error: .invalid("DATA on channel \(channel)", remedy: "send the payload on channel 0"))
            }
            payload.append(contentsOf: bytes.dropFirst())
        }
        do throws(AgentError) {
            try session.agent.checkPayload(payload.count)
        } catch {
            return session.respond(stream, error: error)
        }
        if end { begin() }
    }

    func cancelled(_ reason: Session.CancelReason) {
        guard let invocation else {
            return session.respond(
                stream,
                error: reason == .deadline
                    ? AgentError(
                        .deadlineExceeded, "the payload had not arrived at the deadline", remedy: "allow more time",
                        retryable: true)
                    : .cancelled())
        }
        session.agent.pool.cancel(invocation, timedOut: reason == .deadline)
    }

    func drained() {}
}
