import CLinux
import Glibc
import Synchronization

/// One thread on epoll(7): descriptors, timers and the jobs of `LoopActor`.
///
/// The thread runs `LoopActor` code only. Its main function is itself a job of the actor that never returns, so handlers
/// are called with the isolation proved statically, and other jobs run nested between two waits.
package final class EventLoop: SerialExecutor {
    /// What other threads may touch: jobs on their way to the loop.
    private struct Mailbox {
        var jobs: [UnownedJob] = []
        var started = false
        var wakePending = false
    }

    private let mailbox = Mutex(Mailbox())
    private let wakeup: OwnedFD
    let epoll: OwnedFD

    init() {
        let epollFD = clx_epoll_create()
        let eventFD = clx_eventfd()
        // Without an epoll descriptor there is no program: this runs once, before anything else exists.
        precondition(epollFD >= 0 && eventFD >= 0, "no descriptor left for the event loop: raise RLIMIT_NOFILE")
        epoll = OwnedFD(owning: epollFD)
        wakeup = OwnedFD(owning: eventFD)
    }

    // MARK: Executor

    package func enqueue(_ job: consuming ExecutorJob) {
        let unowned = UnownedJob(job)
        let (start, wake) = mailbox.withLock { box in
            box.jobs.append(unowned)
            let start = !box.started
            box.started = true
            let wake = !box.wakePending && !isLoopThread
            if wake { box.wakePending = true }
            return (start, wake)
        }
        if start { startThread() }
        if wake { ring() }
    }

    package func checkIsolated() {
        precondition(isLoopThread, "called outside the event loop's thread")
    }

    package func isIsolatingCurrentContext() -> Bool? { isLoopThread }

    private var isLoopThread: Bool { CurrentThread.isLoop }

    private func ring() {
        var one: UInt64 = 1
        _ = write(wakeup.rawValue, &one, 8)
    }

    private func startThread() {
        var thread = pthread_t()
        // The loop lives as long as the process, so the unbalanced retain is its lifetime.
        let context = Unmanaged.passRetained(self).toOpaque()
        let result = pthread_create(
            &thread, nil,
            { context in
                guard let context else { return nil }
                let loop = Unmanaged<EventLoop>.fromOpaque(context).takeUnretainedValue()
                CurrentThread.isLoop = true
                loop.runJobs()
                // The first job starts the reactor and does not come back; this is only reached when it was another.
                while true { loop.waitForWork() }
            }, context)
        precondition(result == 0, "cannot start the event loop's thread: \(Errno(rawValue: result))")
        pthread_detach(thread)
    }

    private func waitForWork() {
        _ = Task { @LoopActor in Reactor.shared.run() }
        runJobs()
    }

    /// Runs what has been enqueued; returns whether anything was.
    @discardableResult
    func runJobs() -> Bool {
        let jobs = mailbox.withLock { box in
            let jobs = box.jobs
            box.jobs.removeAll(keepingCapacity: true)
            box.wakePending = false
            return jobs
        }
        for job in jobs { job.runSynchronously(on: asUnownedSerialExecutor()) }
        return !jobs.isEmpty
    }

    func hasJobs() -> Bool { mailbox.withLock { !$0.jobs.isEmpty } }

    func armWakeup(token: UInt64) {
        _ = clx_epoll_ctl_add(epoll.rawValue, wakeup.rawValue, UInt32(CLX_EPOLLIN), token)
    }

    func drainWakeup() {
        var count: UInt64 = 0
        _ = read(wakeup.rawValue, &count, 8)
    }
}

/// Whether this thread is the loop's: a thread-local, since comparing pthread ids would need an initialised copy.
private enum CurrentThread {
    private static let key: pthread_key_t = {
        var key = pthread_key_t()
        pthread_key_create(&key, nil)
        return key
    }()

    static var isLoop: Bool {
        get { pthread_getspecific(key) != nil }
        set { pthread_setspecific(key, newValue ? UnsafeRawPointer(bitPattern: 1) : nil) }
    }
}
