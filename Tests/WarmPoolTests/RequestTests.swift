import Testing
import WarmPool

@Suite struct RequestTests {
    @Test func aColdStartThenAWarmOne() throws {
        var node = try Harness()
        node.register(1)
        let effects = node.request(1, at: 0)
        #expect(effects.createdIDs == [1])
        #expect(effects.created.first?.weight == .live)
        #expect(effects.created.first?.tier == .ready)
        let started = node.ready(1, at: 100)
        #expect(started.dispatched.map(\.start) == [.cold])
        #expect(
            started.contains(.dispatch(RequestID(1), sandbox: SandboxID(1), start: .cold, waited: .milliseconds(100))))
        node.end(1, in: 1, at: 150)
        #expect(node.request(1, at: 200).dispatched.map(\.start) == [.warm])
    }

    @Test func aBurstCreatesNoMoreThanItsLimitAndFailsNone() throws {
        var node = try Harness(megabytes: 8192) { $0.maxLiveStarts = 100 }
        node.register(1, maxConcurrency: 5)
        var created: [UInt64] = []
        for _ in 0..<200 {
            let effects = node.request(1, at: 0)
            created += effects.createdIDs
            #expect(effects.rejected.isEmpty)
        }
        #expect(created.count == 5)
        var running: [(UInt64, UInt64)] = []
        for sandbox in created { running += node.ready(sandbox, at: 100).dispatched.map { ($0.request, $0.sandbox) } }
        var served = 0
        while let (request, sandbox) = running.popLast() {
            served += 1
            let effects = node.end(request, in: sandbox, at: 100 + Int64(served))
            #expect(effects.created.isEmpty)
            running += effects.dispatched.map { ($0.request, $0.sandbox) }
        }
        #expect(served == 200)
    }

    @Test func lateBindingTakesTheSandboxThatFreesFirst() throws {
        var node = try Harness()
        node.register(1)
        let first = node.warm(1)
        node.request(1, at: 1000)
        // The running one is expected to take no time at all, so nothing is created until it is overdue.
        let second = node.request(1, at: 1001)
        var begun = second.createdIDs
        if begun.isEmpty { begun = node.send(.tick, at: 1500).createdIDs }
        #expect(begun == [2])
        let freed = node.end(2, in: first, at: 1510)
        #expect(freed.dispatched.map(\.sandbox) == [first])
        #expect(freed.dispatched.map(\.start) == [.warm])
        // Its own creation then serves the next one, as a sandbox that nobody has used.
        node.ready(2, at: 1600)
        #expect(node.request(1, at: 1700).dispatched.map(\.start) == [.prefetched])
    }

    @Test func waitsForASandboxThatIsAboutToFree() throws {
        var node = try Harness()
        node.register(1)
        node.request(1, at: 0)
        node.ready(1, took: 1000, at: 1000)
        node.end(1, in: 1, at: 1100)
        node.request(1, at: 2000)
        // Service takes 100 ms, a start 1,000: waiting is quicker.
        #expect(node.request(1, at: 2010).created.isEmpty)
        // But not for one that has run far longer than expected.
        let effects = node.send(.tick, at: 2600)
        #expect(effects.createdIDs == [2])
    }

    @Test func refusesWhatCannotMeetItsDeadline() throws {
        var node = try Harness()
        node.register(1, maxConcurrency: 1)
        node.request(1, at: 0)
        node.ready(1, at: 100)
        node.end(1, in: 1, at: 1100)
        node.request(1, at: 2000)
        node.request(1, at: 2000)
        let effects = node.request(1, at: 2000, deadline: 2500)
        #expect(effects.rejected == [.deadlineUnreachable])
        guard case .reject(_, _, let wait) = effects[0] else { return }
        #expect(wait == .milliseconds(2000))
        #expect(node.request(1, at: 2000, deadline: 60_000).rejected.isEmpty)
        #expect(node.pool.expectedWait(FunctionID(1)) == .milliseconds(3000))
    }

    @Test func aSlowStartDoesNotShutAFunctionOut() throws {
        var node = try Harness()
        node.register(1)
        node.request(1, at: 0)
        node.ready(1, took: 20_000, at: 20_000)
        node.end(1, in: 1, reusable: false, at: 20_100)
        node.gone(1, at: 20_200)
        // The estimate says 20 s, the deadline is in 5: it may try, for nothing else renews the estimate.
        #expect(node.request(1, at: 30_000, deadline: 35_000).createdIDs == [2])
    }

    @Test func expiresInTheQueueAtItsDeadline() throws {
        var node = try Harness()
        node.register(1)
        let effects = node.request(1, at: 0, deadline: 500)
        #expect(effects.wake.map { $0 <= 500 } == true)
        #expect(node.send(.tick, at: 499).rejected.isEmpty)
        #expect(node.send(.tick, at: 500).rejected == [.deadlineExpired])
    }

    @Test func boundsQueues() throws {
        var node = try Harness {
            $0.maxQueuePerFunction = 2
            $0.maxQueued = 3
        }
        node.register(1)
        node.register(2)
        for _ in 0..<2 { #expect(node.request(1).rejected.isEmpty) }
        #expect(node.request(1).rejected == [.queueFull])
        #expect(node.request(2).rejected.isEmpty)
        #expect(node.request(2).rejected == [.queueFull])
    }

    @Test func unknownFunctionsAndImpossibleOnesAreRefused() throws {
        var node = try Harness(megabytes: 64)
        node.register(1, megabytes: 100)
        #expect(node.request(1).rejected == [.tooLarge])
        #expect(node.request(9).rejected == [.unknownFunction])
    }

    @Test func cancelsWaitingAndRunning() throws {
        var node = try Harness()
        node.register(1)
        node.request(1, at: 0)
        node.request(1, at: 0)
        #expect(node.send(.requestCancelled(RequestID(2))).isEmpty)
        #expect(node.ready(1, at: 100).dispatched.map(\.request) == [1])
        #expect(node.send(.requestCancelled(RequestID(1))).contains(.interrupt(RequestID(1), sandbox: SandboxID(1))))
        // Told twice: once is enough.
        #expect(node.send(.requestCancelled(RequestID(1))).records == [.ignored(.unexpectedState)])
        #expect(node.end(1, in: 1, reusable: false).evicted == [1])
    }

    @Test func aSandboxThatVanishesLosesItsRequest() throws {
        var node = try Harness()
        node.register(1)
        node.request(1, at: 0)
        node.ready(1, at: 100)
        #expect(node.gone(1, at: 120).contains(.lost(RequestID(1), sandbox: SandboxID(1))))
        #expect(node.pool.charged == 0)
    }

    @Test func oneFunctionsBurstLeavesOthersTheirTurn() throws {
        var node = try Harness(megabytes: 10_000) { $0.maxLiveStarts = 4 }
        node.register(1)
        node.register(2)
        for _ in 0..<50 { node.request(1, at: 0) }
        // Three quarters of the starts are the burst's at most.
        #expect(node.request(2, at: 1).created.map(\.function) == [FunctionID(2)])
    }

    @Test func cpuSlotsAreSharedFairly() throws {
        var node = try Harness(megabytes: 4096) { $0.cpuBudget = 1000 }
        node.register(1)
        node.register(2)
        let one = node.warm(1)
        let two = node.warm(2)
        let base = node.latestRequest
        for _ in 0..<3 { node.request(1, at: 10_000) }
        for _ in 0..<3 { node.request(2, at: 10_000) }
        var order: [UInt64] = [one]
        var request = base + 1
        var sandbox = one
        for step in 0..<5 {
            guard let next = node.end(request, in: sandbox, at: 10_010 + Int64(step)).dispatched.first else { break }
            order.append(next.sandbox)
            request = next.request
            sandbox = next.sandbox
        }
        #expect(order.count == 6)
        // Neither gets more than one ahead of the other.
        for length in 1...6 { #expect(abs(order.prefix(length).count { $0 == one } * 2 - length) <= 2) }
        #expect(order.contains(two))
    }

    @Test func weightScalesAFunctionsShare() throws {
        var node = try Harness(megabytes: 4096) { $0.cpuBudget = 1000 }
        node.register(1, weight: 3)
        node.register(2)
        _ = node.warm(1)
        _ = node.warm(2)
        let base = node.latestRequest
        for _ in 0..<40 { node.request(1, at: 10_000) }
        for _ in 0..<40 { node.request(2, at: 10_000) }
        var counts: [UInt64: Int] = [:]
        var running = (request: base + 1, sandbox: UInt64(1))
        for step in 0..<20 {
            guard let next = node.end(running.request, in: running.sandbox, at: 10_001 + Int64(step)).dispatched.first
            else { break }
            counts[next.sandbox, default: 0] += 1
            running = (next.request, next.sandbox)
        }
        #expect(counts[1] ?? 0 >= 14)
        #expect(counts[2] ?? 0 >= 4)
    }
}
