import Dispatch
import Linux

/// Work that waits for the disk, away from the loop.
enum BlockingWork {
    /// Runs `work` on the registry's queue, one at a time and in order, and `completion` on the loop.
    @LoopActor
    static func run<Value: Sendable>(
        _ work: @escaping @Sendable () -> Result<Value, AgentError>,
        completion: @escaping @LoopActor @Sendable (Result<Value, AgentError>) -> Void
    ) {
        Registry.queue.async {
            let result = work()
            Task { @LoopActor in completion(result) }
        }
    }
}
