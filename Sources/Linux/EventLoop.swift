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
    fileprivate let epoll: OwnedFD

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
    fileprivate func runJobs() -> Bool {
        let jobs = mailbox.withLock { box in
            let jobs = box.jobs
            box.jobs.removeAll(keepingCapacity: true)
            box.wakePending = false
            return jobs
        }
        for job in jobs { job.runSynchronously(on: asUnownedSerialExecutor()) }
        return !jobs.isEmpty
    }

    fileprivate func hasJobs() -> Bool { mailbox.withLock { !$0.jobs.isEmpty } }

    fileprivate func armWakeup(token: UInt64) {
        _ = clx_epoll_ctl_add(epoll.rawValue, wakeup.rawValue, UInt32(CLX_EPOLLIN), token)
    }

    fileprivate func drainWakeup() {
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

/// Descriptors and timers of the event loop.
@LoopActor
package final class Reactor {
    package static let shared = Reactor()

    /// What a descriptor became ready for.
    package struct Readiness: OptionSet, Sendable {
        package let rawValue: UInt32
        package nonisolated init(rawValue: UInt32) { self.rawValue = rawValue }
        package nonisolated static let readable = Readiness(rawValue: UInt32(CLX_EPOLLIN))
        package nonisolated static let writable = Readiness(rawValue: UInt32(CLX_EPOLLOUT))
        package nonisolated static let hangUp = Readiness(rawValue: UInt32(CLX_EPOLLHUP))
        package nonisolated static let error = Readiness(rawValue: UInt32(CLX_EPOLLERR))
        package nonisolated static let priority = Readiness(rawValue: UInt32(CLX_EPOLLPRI))
    }

    /// One registered descriptor. It does not own it: cancel before closing.
    @LoopActor
    package final class Source {
        fileprivate let fd: Int32
        fileprivate let token: UInt64
        fileprivate var handler: (@LoopActor (Readiness) -> Void)?
        private var interest: Readiness

        fileprivate init(
            fd: Int32, token: UInt64, interest: Readiness, handler: @escaping @LoopActor (Readiness) -> Void
        ) {
            self.fd = fd
            self.token = token
            self.interest = interest
            self.handler = handler
        }

        /// Changes what the handler is called for.
        package func setInterest(_ new: Readiness) {
            guard new != interest, handler != nil else { return }
            interest = new
            _ = clx_epoll_ctl_mod(LoopActor.loop.epoll.rawValue, fd, new.rawValue, token)
        }

        /// No call after this one; idempotent.
        package func cancel() {
            guard handler != nil else { return }
            handler = nil
            _ = clx_epoll_ctl_del(LoopActor.loop.epoll.rawValue, fd)
            Reactor.shared.sources[token] = nil
        }
    }

    /// A timer that fires once.
    @LoopActor
    package final class Timer {
        fileprivate var action: (@LoopActor () -> Void)?

        fileprivate init(_ action: @escaping @LoopActor () -> Void) {
            self.action = action
        }

        /// The action will not run; idempotent.
        package func cancel() {
            guard action != nil else { return }
            action = nil
            Reactor.shared.timerCancelled()
        }
    }

    private struct Deadline {
        let at: Int64
        let sequence: UInt64
        let timer: Timer
    }

    fileprivate var sources: [UInt64: Source] = [:]
    private var deadlines: [Deadline] = []
    /// How many of them were cancelled and wait for their turn to be dropped.
    private var cancelled = 0
    private var nextToken: UInt64 = 1
    private var deferred: [@LoopActor () -> Void] = []

    /// Watches a descriptor, level-triggered, until the source is cancelled.
    package func watch(
        _ fd: Int32, for interest: Readiness = .readable, handler: @escaping @LoopActor (Readiness) -> Void
    ) throws(Errno) -> Source {
        let token = nextToken
        nextToken += 1
        let source = Source(fd: fd, token: token, interest: interest, handler: handler)
        _ = try systemCall { clx_epoll_ctl_add(LoopActor.loop.epoll.rawValue, fd, interest.rawValue, token) }
        sources[token] = source
        return source
    }

    /// Runs `action` at a time of the monotonic clock (nanoseconds).
    @discardableResult
    package func schedule(at time: Int64, _ action: @escaping @LoopActor () -> Void) -> Timer {
        let timer = Timer(action)
        nextToken += 1
        push(Deadline(at: time, sequence: nextToken, timer: timer))
        return timer
    }

    @discardableResult
    package func schedule(after nanoseconds: Int64, _ action: @escaping @LoopActor () -> Void) -> Timer {
        schedule(at: monotonicNow(plus: nanoseconds), action)
    }

    /// Runs `action` after the handlers of this turn, before the loop waits again: where a callback must not re-enter.
    package func afterTurn(_ action: @escaping @LoopActor () -> Void) {
        deferred.append(action)
    }

    fileprivate func run() {
        let loop = LoopActor.loop
        loop.armWakeup(token: 0)
        var events = [clx_epoll_event](repeating: clx_epoll_event(), count: 128)
        while true {
            let timeout = nextTimeout()
            let count = events.withUnsafeMutableBufferPointer {
                clx_epoll_wait(loop.epoll.rawValue, $0.baseAddress, 128, timeout)
            }
            var index = 0
            while index < count {
                let event = events[index]
                index += 1
                if event.token == 0 {
                    loop.drainWakeup()
                } else if let source = sources[event.token] {
                    source.handler?(Readiness(rawValue: event.events))
                }
            }
            fireTimers()
            runDeferred()
            while loop.runJobs() { runDeferred() }
        }
    }

    private func nextTimeout() -> Int64 {
        if !deferred.isEmpty || LoopActor.loop.hasJobs() { return 0 }
        while let first = deadlines.first, first.timer.action == nil {
            popDeadline()
            cancelled -= 1
        }
        guard let first = deadlines.first else { return -1 }
        return max(0, first.at - monotonicNow())
    }

    private func fireTimers() {
        guard !deadlines.isEmpty else { return }
        let now = monotonicNow()
        while let first = deadlines.first, first.at <= now || first.timer.action == nil {
            popDeadline()
            let action = first.timer.action
            first.timer.action = nil
            if let action { action() } else { cancelled -= 1 }
        }
    }

    /// Timers that are kept, the cancelled ones among them.
    var scheduledCount: Int { deadlines.count }

    /// Every invocation sets a time limit and cancels it, so most of the heap would soon be timers of the past: once they are the
    /// larger part it is built anew from the others.
    fileprivate func timerCancelled() {
        cancelled += 1
        guard cancelled > 64, cancelled > deadlines.count / 2 else { return }
        // Sorted, it is a heap.
        deadlines = deadlines.filter { $0.timer.action != nil }.sorted { ($0.at, $0.sequence) < ($1.at, $1.sequence) }
        cancelled = 0
    }

    private func runDeferred() {
        while !deferred.isEmpty {
            let actions = deferred
            deferred.removeAll(keepingCapacity: true)
            for action in actions { action() }
        }
    }

    // MARK: A binary heap by time, then by order of scheduling

    private func precedes(_ a: Int, _ b: Int) -> Bool {
        (deadlines[a].at, deadlines[a].sequence) < (deadlines[b].at, deadlines[b].sequence)
    }

    private func push(_ deadline: Deadline) {
        deadlines.append(deadline)
        var child = deadlines.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard precedes(child, parent) else { break }
            deadlines.swapAt(child, parent)
            child = parent
        }
    }

    private func popDeadline() {
        deadlines.swapAt(0, deadlines.count - 1)
        deadlines.removeLast()
        var parent = 0
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < deadlines.count && precedes(child, least) {
                least = child
            }
            if least == parent { return }
            deadlines.swapAt(parent, least)
            parent = least
        }
    }
}
