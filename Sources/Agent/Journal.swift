import Linux
import Logging

/// What happened, for later questions: rows are gathered and written in batches, so that the loop never waits for the disk.
@LoopActor
final class Journal {
    private static let interval: Int64 = 1_000_000_000
    /// Rows that wait while the disk is slow; beyond it the newest are dropped and counted.
    private static let mostWaiting = 65536

    private let registry: Registry
    private let logger: Logger
    private var rows: [Registry.JournalRow] = []
    private var dropped = 0
    private var isScheduled = false
    private var isWriting = false

    init(registry: Registry, logger: Logger) {
        self.registry = registry
        self.logger = logger
    }

    func append(_ kind: String, function: String = "", sandbox: String = "", _ text: String) {
        guard rows.count < Self.mostWaiting else {
            dropped += 1
            return
        }
        rows.append(
            Registry.JournalRow(
                unixMilliseconds: realtimeNow() / 1_000_000, kind: kind, function: function, sandbox: sandbox,
                text: text))
        guard !isScheduled else { return }
        isScheduled = true
        Reactor.shared.schedule(after: Self.interval) { [weak self] in self?.flush() }
    }

    /// Hands what has gathered to the disk.
    func flush() {
        isScheduled = false
        guard !rows.isEmpty, !isWriting else { return }
        let batch = rows
        rows = []
        isWriting = true
        let registry = self.registry
        BlockingWork.run {
            do throws(AgentError) {
                try registry.append(batch)
                return .success(())
            } catch {
                return .failure(error)
            }
        } completion: { [weak self] (result: Result<Void, AgentError>) in
            guard let self else { return }
            self.isWriting = false
            if case .failure(let error) = result {
                self.logger.error(
                    "the journal was not written", metadata: ["error": "\(error)", "rows": "\(batch.count)"])
            }
            if self.dropped > 0 {
                self.logger.warning("journal rows were dropped", metadata: ["rows": "\(self.dropped)"])
                self.dropped = 0
            }
            if !self.rows.isEmpty { self.flush() }
        }
    }
}
