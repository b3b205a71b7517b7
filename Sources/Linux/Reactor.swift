import CLinux

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

    /// How long the loop looks for work after each piece of it before it sleeps, in nanoseconds; 0 sleeps at once. Waking a thread that
    /// sleeps costs as much as several invocations, and that of an idle virtual processor more; the price is that processor's time.
    package var busyPoll: Int64 = 0

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

    func run() {
        let loop = LoopActor.loop
        loop.armWakeup(token: 0)
        var events = [clx_epoll_event](repeating: clx_epoll_event(), count: 128)
        while true {
            let count = wait(loop.epoll.rawValue, &events)
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

    /// Ready descriptors into `events`; how many.
    private func wait(_ epoll: Int32, _ events: inout [clx_epoll_event]) -> Int {
        let look = { (timeout: Int64, events: inout [clx_epoll_event]) in
            Int(events.withUnsafeMutableBufferPointer { clx_epoll_wait(epoll, $0.baseAddress, 128, timeout) })
        }
        let timeout = nextTimeout()
        guard busyPoll > 0, timeout != 0 else { return look(timeout, &events) }
        let end = monotonicNow() + (timeout < 0 ? busyPoll : min(busyPoll, timeout))
        repeat {
            let count = look(0, &events)
            if count != 0 { return count }
        } while monotonicNow() < end
        return look(nextTimeout(), &events)
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
