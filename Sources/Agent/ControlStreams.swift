import Linux
import Wire

/// The method Drain: its answer comes when what ran has finished. Cancelling it does not take the drain back.
@LoopActor
final class DrainStream: Session.StreamHandler {
    private let session: Session
    private let stream: UInt32

    private init(_ session: Session, _ stream: UInt32) {
        self.session = session
        self.stream = stream
    }

    static func start(
        _ request: ServerRequest<SharedFD>, _ session: Session
    ) throws(AgentError) -> (any Session.StreamHandler)? {
        let message = try RequestRouter.decode(request, HearthDrainRequest.self)
        let stream = request.stream
        try session.agent.drain(message) { [weak session] response in session?.respond(stream, response) }
        return DrainStream(session, stream)
    }

    func received(_ bytes: [UInt8], end: Bool) { session.consumed(stream, bytes.count) }

    func cancelled(_ reason: Session.CancelReason) {
        session.respond(
            stream,
            error: reason == .deadline
                ? AgentError(
                    .deadlineExceeded, "the agent is still draining", remedy: "ask again to wait for it",
                    retryable: true)
                : .cancelled())
    }

    func drained() {}
}

/// An answer with more payload than one message holds: DATA as the client takes it, then the response.
@LoopActor
final class PayloadStream: Session.StreamHandler {
    private static let piece = 256 << 10

    private let session: Session
    private let stream: UInt32
    private var payload: [UInt8] = []
    private var sent = 0
    private var response: [UInt8]?
    private(set) var isCancelled = false

    init(_ session: Session, _ stream: UInt32) {
        self.session = session
        self.stream = stream
    }

    func begin(_ payload: [UInt8], then response: [UInt8]) {
        guard !isCancelled else { return }
        self.payload = payload
        self.response = response
        pump()
    }

    private func pump() {
        guard let response, !isCancelled else { return }
        while sent < payload.count {
            // The client's next CREDIT that empties the queue goes on.
            guard session.queuedBytes(of: stream) == 0 else { return }
            let end = min(sent + Self.piece, payload.count)
            session.send(stream, Array(payload[sent..<end]))
            sent = end
        }
        self.response = nil
        session.respond(stream, body: response)
    }

    func fail(_ error: AgentError) {
        guard !isCancelled else { return }
        session.respond(stream, error: error)
    }

    func received(_ bytes: [UInt8], end: Bool) { session.consumed(stream, bytes.count) }

    func cancelled(_ reason: Session.CancelReason) {
        guard !isCancelled else { return }
        isCancelled = true
        payload = []
        session.respond(
            stream,
            error: reason == .deadline
                ? AgentError(
                    .deadlineExceeded, "the answer was not taken before the deadline", remedy: "allow more time",
                    retryable: true)
                : .cancelled())
    }

    func drained() { pump() }
}
