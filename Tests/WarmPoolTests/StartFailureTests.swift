import Testing
import WarmPool

@Suite struct StartFailureTests {
    @Test func aFunctionThatCannotLoadFailsItsRequestAtOnce() throws {
        var node = try Harness()
        node.register(1)
        node.request(1, at: 0)
        node.request(1, at: 0)
        let effects = node.send(.sandboxFailed(SandboxID(1), stage: .load), at: 50)
        #expect(effects.rejected == [.startFailed(.load)])
        // The other request still has its own start.
        #expect(node.ready(2, at: 100).dispatched.map(\.request) == [2])
    }

    @Test func aNodesFaultIsTriedAgain() throws {
        var node = try Harness { $0.maxStartAttempts = 3 }
        node.register(1)
        var sandbox = node.request(1, at: 0).createdIDs
        for attempt in 1...2 {
            let effects = node.send(.sandboxFailed(SandboxID(sandbox[0]), stage: .sandbox), at: Int64(attempt) * 100)
            #expect(effects.rejected.isEmpty)
            sandbox = node.send(.tick, at: Int64(attempt) * 100 + 20).createdIDs
            try #require(sandbox.count == 1)
        }
        let effects = node.send(.sandboxFailed(SandboxID(sandbox[0]), stage: .sandbox), at: 300)
        #expect(effects.rejected == [.startFailed(.sandbox)])
    }

    /// Told ready before all that was asked of it was done: it is gone like any that dies, and counts as a failed start.
    @Test func aStartMayFailAfterItWasTakenForReady() throws {
        var node = try Harness { $0.breaker.failures = 1 }
        node.register(1, minReady: 1)
        node.ready(1, at: 10)
        let effects = node.send(.sandboxFailed(SandboxID(1), stage: .sandbox), at: 20)
        #expect(effects.records.contains { if case .breakerOpened = $0 { true } else { false } })
        #expect(effects.created.isEmpty && node.pool.function(FunctionID(1))?.idle == 0)
        // Under a request: whose it was is told, and the sandbox is free for nobody.
        var other = try Harness()
        other.register(1)
        other.request(1, at: 0)
        #expect(other.ready(1, at: 10).dispatched.map(\.request) == [1])
        let failed = other.send(.sandboxFailed(SandboxID(1), stage: .sandbox), at: 20)
        #expect(failed.contains { if case .lost(RequestID(1), SandboxID(1)) = $0 { true } else { false } })
        #expect(other.request(1, at: 40).createdIDs == [2])
        // Each is told ready first, and three in a row open the breaker all the same; a success that stands begins anew.
        other.ready(2, at: 50)
        other.send(.sandboxFailed(SandboxID(2), stage: .sandbox), at: 60)
        try #require(other.request(1, at: 80).createdIDs == [3])
        let opened = other.ready(3, at: 90) + other.send(.sandboxFailed(SandboxID(3), stage: .sandbox), at: 100)
        #expect(opened.records.contains { if case .breakerOpened(_, _, 3) = $0 { true } else { false } })
        // The same where the request has its answer before the sandbox is known to be gone.
        var answered = try Harness()
        answered.register(1)
        var records: [Record] = []
        for start in 0..<3 as Range<Int64> {
            let at = 100 * start
            let sandbox = try #require(answered.request(1, at: at).createdIDs.first)
            answered.ready(sandbox, at: at + 10)
            answered.end(UInt64(start + 1), in: sandbox, reusable: false, at: at + 20)
            records += answered.send(.sandboxFailed(SandboxID(sandbox), stage: .sandbox), at: at + 21).records
        }
        #expect(records.contains { if case .breakerOpened(_, _, 3) = $0 { true } else { false } })
        var third = try Harness()
        third.register(1)
        for start in 0..<4 as Range<Int64> {
            let at = 100 * start
            let sandbox = try #require(third.request(1, at: at).createdIDs.first)
            third.ready(sandbox, at: at + 10)
            if start == 1 {
                third.end(UInt64(start + 1), in: sandbox, reusable: false, at: at + 20)
                third.gone(sandbox, at: at + 21)
            } else {
                let failed = third.send(.sandboxFailed(SandboxID(sandbox), stage: .sandbox), at: at + 20)
                #expect(!failed.records.contains { if case .breakerOpened = $0 { true } else { false } })
            }
        }
    }

    @Test func failingWarmUpsOpenTheBreakerAndBackOff() throws {
        var node = try Harness()
        node.register(1, minReady: 1)
        var at: Int64 = 0
        var sandbox: UInt64 = 1
        for _ in 0..<3 {
            at += 10
            let effects = node.send(.sandboxFailed(SandboxID(sandbox), stage: .warmUp), at: at)
            if let next = effects.createdIDs.first { sandbox = next }
        }
        guard case .open(let until) = node.pool.function(FunctionID(1))?.breaker else {
            Issue.record("the breaker is not open")
            return
        }
        #expect(until == Instant(nanoseconds: (at + 1000) * 1_000_000))
        #expect(node.send(.tick, at: at + 999).created.isEmpty)
        // Half open: one probe; its failure doubles the time.
        let probe = node.send(.tick, at: at + 1000).createdIDs
        try #require(probe.count == 1)
        let again = node.send(.sandboxFailed(SandboxID(probe[0]), stage: .warmUp), at: at + 1100)
        #expect(again.records.contains { if case .breakerOpened(_, _, 4) = $0 { true } else { false } })
        #expect(node.send(.tick, at: at + 3099).created.isEmpty)
        let second = node.send(.tick, at: at + 3100).createdIDs
        try #require(second.count == 1)
        #expect(node.ready(second[0], at: at + 3200).records.contains(.breakerClosed(FunctionID(1))))
        #expect(node.pool.function(FunctionID(1))?.breaker == .closed)
    }

    @Test(arguments: [Configuration.LiveWhileOpen.mayTry, .failFast])
    func requestsWhileTheBreakerIsOpen(_ setting: Configuration.LiveWhileOpen) throws {
        var node = try Harness {
            $0.liveWhileOpen = setting
            $0.breaker.failures = 1
        }
        node.register(1)
        node.request(1, at: 0)
        node.send(.sandboxFailed(SandboxID(1), stage: .load), at: 10)
        let effects = node.request(1, at: 20)
        if setting == .failFast {
            #expect(effects.rejected == [.circuitOpen])
        } else {
            #expect(effects.created.count == 1)
            // One at a time.
            #expect(node.request(1, at: 21).created.isEmpty)
        }
    }

    @Test func newCodeHasAFreshChance() throws {
        var node = try Harness { $0.breaker.failures = 1 }
        node.register(1, minReady: 1)
        node.send(.sandboxFailed(SandboxID(1), stage: .load), at: 10)
        #expect(node.pool.function(FunctionID(1))?.failures == 1)
        let effects = node.send(.functionUpdated(Harness.spec(1, generation: 2, minReady: 1)), at: 20)
        #expect(effects.created.map(\.generation) == [2])
    }
}
