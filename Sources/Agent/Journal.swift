import Linux
import Logging

/// What happened, for later questions: notes are gathered and written in batches, so that the loop never waits for the disk.
@LoopActor
final class Journal {
    private static let interval: Int64 = 1_000_000_000
    /// While somebody follows.
    private static let followedInterval: Int64 = 100_000_000
    /// Notes that wait while the disk is slow; beyond it the newest are dropped and counted.
    private static let mostWaiting = 65536

    private let registry: Registry
    private let spool: JournalSpool
    private let logger: Logger
    private var notes: [(unixMilliseconds: Int64, event: JournalEvent)] = []
    private var dropped = 0
    private var isScheduled = false
    private var writing = 0
    private var followers: [ObjectIdentifier: @LoopActor () -> Void] = [:]

    init(registry: Registry, spool: JournalSpool, logger: Logger) {
        self.registry = registry
        self.spool = spool
        self.logger = logger
    }

    func append(_ event: JournalEvent) {
        guard notes.count < Self.mostWaiting else {
            dropped += 1
            return
        }
        let now = realtimeNow() / 1_000_000
        spool.append(now, event)
        notes.append((now, event))
        if spool.isHalfFull, writing == 0 { return flush() }
        guard !isScheduled else { return }
        isScheduled = true
        let interval = followers.isEmpty ? Self.interval : Self.followedInterval
        Reactor.shared.schedule(after: interval) { [weak self] in
            self?.isScheduled = false
            self?.flush()
        }
    }

    /// For what is rare: kind, whom it is about, a sentence, and the same in fields.
    func append(
        _ kind: String, function: String = "", sandbox: String = "", _ text: String, fields: [String: String] = [:]
    ) {
        append(.note(kind: kind, function: function, sandbox: sandbox, text: text, fields: fields))
    }

    /// Hands what has gathered to the disk. The registry's queue keeps the order, so what is read after this has it.
    /// - Parameter always: also while the batch before is being written.
    func flush(always: Bool = false) {
        guard !notes.isEmpty, always || writing == 0 else { return }
        var batch = notes
        notes = []
        if dropped > 0 {
            logger.warning("journal entries were dropped", metadata: ["entries": "\(dropped)"])
            batch.append((realtimeNow() / 1_000_000, .lost(dropped)))
            dropped = 0
        }
        writing += 1
        let registry = self.registry
        let rows = batch
        let position = spool.written
        BlockingWork.run {
            do throws(AgentError) {
                try registry.append(rows, through: position)
                return .success(())
            } catch {
                return .failure(error)
            }
        } completion: { [weak self] (result: Result<Void, AgentError>) in
            guard let self else { return }
            self.writing -= 1
            switch result {
            case .success: self.spool.stored(through: position)
            case .failure(let error):
                self.logger.error(
                    "the journal was not written", metadata: ["error": "\(error)", "entries": "\(rows.count)"])
            }
            for follower in self.followers.values { follower() }
            if !self.notes.isEmpty, !self.isScheduled { self.flush() }
        }
    }

    // MARK: Followers

    /// Calls `action` after every batch that was written, until `unfollow`.
    func follow(_ owner: AnyObject, _ action: @escaping @LoopActor () -> Void) {
        followers[ObjectIdentifier(owner)] = action
    }

    func unfollow(_ owner: AnyObject) {
        followers[ObjectIdentifier(owner)] = nil
    }
}
