import Linux
import Wire

/// The method PullJournal: one page, or with `follow` every entry from the cursor on, until the client has enough.
@LoopActor
final class PullJournalStream: Session.StreamHandler {
    private static let defaultLimit = 1000

    private let session: Session
    private let stream: UInt32
    private let limit: Int
    private var cursor: UInt64
    private var isReading = false
    private var hasMore = true
    private var hasEnded = false

    private init(_ session: Session, _ stream: UInt32, _ request: HearthPullJournalRequest) {
        self.session = session
        self.stream = stream
        cursor = request.cursor
        limit = request.limit == 0 ? Self.defaultLimit : min(Int(request.limit), Registry.mostEntries)
    }

    static func start(
        _ request: ServerRequest<SharedFD>, _ session: Session
    ) throws(AgentError) -> (any Session.StreamHandler)? {
        let message = try RequestRouter.decode(request, HearthPullJournalRequest.self)
        let pull = PullJournalStream(session, request.stream, message)
        // What has happened until now is in the answer.
        session.agent.journal.flush(always: true)
        if message.follow {
            session.agent.journal.follow(pull) { [weak pull] in pull?.written() }
            pull.pump()
        } else {
            pull.answerOnce()
        }
        return pull
    }

    private func read(_ then: @escaping @LoopActor @Sendable (Result<HearthPullJournalResponse, AgentError>) -> Void) {
        let registry = session.agent.registry
        let cursor = self.cursor
        let limit = self.limit
        BlockingWork.run {
            do throws(AgentError) {
                return .success(try registry.journal(after: cursor, limit: limit))
            } catch {
                return .failure(error)
            }
        } completion: {
            then($0)
        }
    }

    private func answerOnce() {
        read { [self] result in
            guard !hasEnded else { return }
            hasEnded = true
            session.answer(stream, result)
        }
    }

    // MARK: Following

    private func written() {
        hasMore = true
        pump()
    }

    /// Reads on as long as there is more and the client takes it: a slow one loses what the ring forgets, and is told.
    private func pump() {
        guard hasMore, !isReading, !hasEnded, session.queuedBytes(of: stream) == 0 else { return }
        isReading = true
        hasMore = false
        read { [self] result in
            isReading = false
            guard !hasEnded else { return }
            switch result {
            case .failure(let error): fail(error)
            case .success(let page): send(page)
            }
        }
    }

    private func send(_ page: HearthPullJournalResponse) {
        var bytes: [UInt8] = []
        if page.lost > 0 {
            var gap = HearthJournalEntry()
            gap.sequence = (page.entries.first?.sequence ?? page.cursor + 1) - 1
            gap.unixMs = realtimeNow() / 1_000_000
            gap.kind = "lost"
            gap.fields = ["entries": "\(page.lost)", "because": "no longer kept"]
            gap.text = "\(page.lost) entries are no longer kept"
            bytes.appendDelimited(gap)
        }
        for entry in page.entries { bytes.appendDelimited(entry) }
        cursor = page.cursor
        if page.more { hasMore = true }
        if !bytes.isEmpty { session.send(stream, bytes) }
        pump()
    }

    private func fail(_ error: AgentError) {
        guard !hasEnded else { return }
        hasEnded = true
        session.agent.journal.unfollow(self)
        session.respond(stream, error: error)
    }

    // MARK: The stream

    func received(_ bytes: [UInt8], end: Bool) { session.consumed(stream, bytes.count) }

    func cancelled(_ reason: Session.CancelReason) {
        fail(
            reason == .deadline
                ? AgentError(
                    .deadlineExceeded, "the deadline of the journal's reader passed",
                    remedy: "go on from the last entry's sequence", retryable: true)
                : .cancelled())
    }

    func drained() { pump() }
}
