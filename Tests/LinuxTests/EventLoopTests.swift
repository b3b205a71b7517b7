import Glibc
import Testing

@testable import Linux

/// All of these share the process's one loop, so they run one after the other.
@Suite(.serialized, .timeLimit(.minutes(1))) struct EventLoopTests {
    @LoopActor
    private func turn() async {
        await withCheckedContinuation { continuation in Reactor.shared.afterTurn { continuation.resume() } }
    }

    @Test @LoopActor func runsOnItsOwnThread() async {
        LoopActor.loop.checkIsolated()
        #expect(LoopActor.loop.isIsolatingCurrentContext() == true)
        let elsewhere = await Task.detached { LoopActor.loop.isIsolatingCurrentContext() }.value
        #expect(elsewhere == false)
        #expect(LoopActor.loop.isIsolatingCurrentContext() == true)
    }

    @Test @LoopActor func timersFireInOrderOfTimeThenOfScheduling() async {
        var order: [Int] = []
        let now = monotonicNow()
        await withCheckedContinuation { continuation in
            for (index, delay) in [5, 1, 3, 1, 4, 1, 2].enumerated() {
                Reactor.shared.schedule(at: now + Int64(delay) * 2_000_000) { order.append(index) }
            }
            Reactor.shared.schedule(at: now + 20_000_000) { continuation.resume() }
        }
        #expect(order == [1, 3, 5, 6, 2, 4, 0])
    }

    @Test @LoopActor func aThousandTimersAreSorted() async {
        var random = SystemRandomNumberGenerator()
        let now = monotonicNow()
        var fired: [Int64] = []
        await withCheckedContinuation { continuation in
            for _ in 0..<1000 {
                let at = now + Int64.random(in: -1_000_000..<5_000_000, using: &random)
                Reactor.shared.schedule(at: at) { fired.append(at) }
            }
            Reactor.shared.schedule(at: now + 6_000_000) { continuation.resume() }
        }
        #expect(fired.count == 1000 && fired == fired.sorted())
    }

    @Test @LoopActor func aTimerIsNeverEarlyAndNotVeryLate() async {
        for delay: Int64 in [0, 100_000, 1_000_000, 10_000_000] {
            let start = monotonicNow()
            await withCheckedContinuation { continuation in
                Reactor.shared.schedule(after: delay) { continuation.resume() }
            }
            let took = monotonicNow() - start
            #expect(took >= delay)
            #expect(took < delay + 15_000_000_000)
        }
    }

    @Test @LoopActor func aCancelledTimerDoesNotFire() async {
        var fired = false
        let timer = Reactor.shared.schedule(after: 1_000_000) { fired = true }
        timer.cancel()
        timer.cancel()
        // One that is cancelled by another that is due in the same turn does not fire either.
        let time = monotonicNow() + 2_000_000
        var second: Reactor.Timer?
        Reactor.shared.schedule(at: time) { second?.cancel() }
        second = Reactor.shared.schedule(at: time) { fired = true }
        await withCheckedContinuation { continuation in
            Reactor.shared.schedule(after: 5_000_000) { continuation.resume() }
        }
        #expect(!fired)
    }

    /// Every invocation sets a time limit and cancels it: those must neither pile up nor disturb the others.
    @Test @LoopActor func cancelledTimersAreForgottenAndTheOthersKeepTheirOrder() async {
        let now = monotonicNow()
        var fired: [Int] = []
        await withCheckedContinuation { continuation in
            for index in 0..<200 {
                Reactor.shared.schedule(at: now + Int64(200 - index) * 100_000) { fired.append(200 - index) }
                for _ in 0..<50 { Reactor.shared.schedule(at: now + 3_600_000_000_000) { fired.append(-1) }.cancel() }
            }
            #expect(Reactor.shared.scheduledCount < 1_000)
            Reactor.shared.schedule(at: now + 30_000_000) { continuation.resume() }
        }
        #expect(fired == Array(1...200))
    }

    /// The loop looks for work for a while only after it has done some: with nothing to do it sleeps.
    @Test @LoopActor func lookingForWorkHasAnEnd() async throws {
        defer { Reactor.shared.busyPoll = 0 }
        func rest() async -> Int64 {
            let before = processorTime()
            await withCheckedContinuation { continuation in
                Reactor.shared.schedule(after: 100_000_000) { continuation.resume() }
            }
            return processorTime() - before
        }
        Reactor.shared.busyPoll = 1_000_000
        // On a busy machine it may not get the processor for that millisecond.
        var looked: Int64 = 0
        for _ in 0..<20 where looked < 500_000 {
            let used = await rest()
            #expect(used < 30_000_000, "\(used) ns of 100 ms")
            looked = max(looked, used)
        }
        #expect(looked >= 500_000, "it does not look")
        // What comes while it looks is served, and timers keep their time.
        let pair = try DescriptorPair.pipe(nonblockingReader: true)
        let (reader, writer) = (pair.first.rawValue, pair.second.rawValue)
        var calls = 0
        let source = try Reactor.shared.watch(reader) { _ in
            calls += 1
            var byte: UInt8 = 0
            _ = read(reader, &byte, 1)
        }
        for round in 1...20 {
            try Message.writeAll(writer, [1])
            await pause()
            #expect(calls == round)
            let (start, delay) = (monotonicNow(), Int64(round) * 100_000)
            await withCheckedContinuation { continuation in
                Reactor.shared.schedule(after: delay) { continuation.resume() }
            }
            #expect(monotonicNow() - start >= delay)
            #expect(await Task.detached { 5 }.value == 5)
        }
        source.cancel()
    }

    /// Of the loop's thread, in nanoseconds.
    @LoopActor
    private func processorTime() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }

    @Test @LoopActor func watchesUntilCancelled() async throws {
        let pair = try DescriptorPair.pipe(nonblockingReader: true)
        var calls = 0
        let fd = pair.first.rawValue
        let source = try Reactor.shared.watch(fd) { readiness in
            calls += 1
            #expect(readiness.contains(.readable))
            var byte: UInt8 = 0
            _ = read(fd, &byte, 1)
        }
        #expect(throws: Errno.exists) { _ = try Reactor.shared.watch(fd) { _ in } }
        try Message.writeAll(pair.second.rawValue, [1, 2])
        for _ in 0..<100 where calls < 2 { await pause() }
        #expect(calls == 2, "level-triggered: once for each byte that is left")
        source.cancel()
        source.cancel()
        try Message.writeAll(pair.second.rawValue, [3])
        await pause()
        #expect(calls == 2)
        // The number is free to be watched again.
        let again = try Reactor.shared.watch(fd) { _ in calls += 10 }
        for _ in 0..<100 where calls < 10 { await pause() }
        #expect(calls >= 12)
        again.cancel()
    }

    @LoopActor
    private func pause() async {
        await withCheckedContinuation { continuation in
            Reactor.shared.schedule(after: 1_000_000) { continuation.resume() }
        }
    }

    @Test @LoopActor func interestCanChange() async throws {
        let pair = try DescriptorPair.socket(.stream)
        var seen: [Reactor.Readiness] = []
        let source = try Reactor.shared.watch(pair.first.rawValue, for: .readable) { seen.append($0) }
        await pause()
        #expect(seen.isEmpty)
        source.setInterest([.readable, .writable])
        for _ in 0..<100 where seen.isEmpty { await pause() }
        #expect(seen.first == .writable)
        source.setInterest(.readable)
        await pause()
        let count = seen.count
        await pause()
        #expect(seen.count == count)
        source.cancel()
        source.setInterest(.writable)
        await pause()
        #expect(seen.count == count)
    }

    @Test @LoopActor func aPeerThatGoesIsSeen() async throws {
        let ends = try DescriptorPair.socket(.stream).take()
        let mine = OwnedFD(owning: ends.first)
        var hungUp = false
        let source = try Reactor.shared.watch(mine.rawValue) { if $0.contains(.hangUp) { hungUp = true } }
        _ = close(ends.second)
        for _ in 0..<100 where !hungUp { await pause() }
        #expect(hungUp)
        source.cancel()
    }

    /// Two descriptors ready in one turn: the first handler cancels the second, which must not be called any more.
    @Test @LoopActor func aHandlerMayCancelAnother() async throws {
        let one = try DescriptorPair.pipe()
        let two = try DescriptorPair.pipe()
        let held = Sources()
        var calls = 0
        for fd in [one.first.rawValue, two.first.rawValue] {
            held.sources.append(
                try Reactor.shared.watch(fd) { _ in
                    calls += 1
                    for source in held.sources { source.cancel() }
                })
        }
        try Message.writeAll(one.second.rawValue, [1])
        try Message.writeAll(two.second.rawValue, [1])
        for _ in 0..<5 { await pause() }
        #expect(calls == 1)
    }

    @Test @LoopActor func watchingNothingThrows() {
        #expect(throws: Errno(rawValue: EBADF)) { _ = try Reactor.shared.watch(-1) { _ in } }
    }

    @Test @LoopActor func deferredWorkRunsAfterTheTurnInOrder() async {
        var order: [String] = []
        await withCheckedContinuation { continuation in
            Reactor.shared.schedule(after: 0) {
                Reactor.shared.afterTurn {
                    order.append("deferred 1")
                    // Deferred by what is deferred: the same turn still.
                    Reactor.shared.afterTurn {
                        order.append("nested")
                        continuation.resume()
                    }
                }
                Reactor.shared.afterTurn { order.append("deferred 2") }
                order.append("handler")
            }
        }
        #expect(order == ["handler", "deferred 1", "deferred 2", "nested"])
        await turn()
    }

    /// 100,000 jobs from four threads: none lost, none twice, none beside another.
    @Test func jobsFromManyThreadsAllRun() async {
        let counter = Counter()
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<4 {
                group.addTask {
                    for _ in 0..<25_000 { await counter.add() }
                }
            }
        }
        #expect(await counter.value == 100_000)
        #expect(await counter.overlaps == 0)
    }

    @LoopActor private final class Counter {
        var value = 0
        var overlaps = 0
        private var busy = false

        nonisolated init() {}

        func add() {
            if busy { overlaps += 1 }
            busy = true
            value += 1
            busy = false
        }
    }

    /// Fire and forget, faster than the loop takes them.
    @Test func jobsMayPileUp() async {
        let counter = Counter()
        for _ in 0..<100_000 { Task { await counter.add() } }
        for _ in 0..<2000 {
            if await counter.value == 100_000 { break }
            try? await Task.sleep(for: .milliseconds(5))
        }
        #expect(await counter.value == 100_000)
    }

    @LoopActor private final class Sources {
        var sources: [Reactor.Source] = []
    }

    /// Jobs that make jobs must not keep timers and descriptors waiting for ever.
    @Test @LoopActor func timersFireBetweenJobs() async {
        var stop = false
        Reactor.shared.schedule(after: 5_000_000) { stop = true }
        let start = monotonicNow()
        while !stop, monotonicNow() - start < 60_000_000_000 { await Task.yield() }
        #expect(stop)
    }
}
