import Dispatch

/// The thread on which everything that blocks on an agent runs: one test at a time, in both test targets, and never on
/// the threads that the other targets' tests share.
@globalActor
package actor TestThread {
    package static let shared = TestThread()
    private let executor = QueueExecutor()

    nonisolated package var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }
}

private final class QueueExecutor: SerialExecutor {
    private let queue = DispatchQueue(label: "hearth.tests.agent")

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        queue.async { job.runSynchronously(on: self.asUnownedSerialExecutor()) }
    }
}
