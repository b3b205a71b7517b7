import Testing
import WarmPool

@Suite struct GenerationTests {
    @Test func idleSandboxesOfOldCodeGoAtOnceAndRunningOnesWhenTheyEnd() throws {
        var node = try Harness()
        node.register(1)
        node.request(1, at: 0)
        node.request(1, at: 0)
        node.ready(1, at: 100)
        node.ready(2, at: 100)
        node.end(1, in: 1, at: 110)
        let effects = node.send(.functionUpdated(Harness.spec(1, generation: 2)), at: 120)
        #expect(effects == [.evict(SandboxID(1), .staleCode)])
        #expect(node.end(2, in: 2, at: 130).contains(.evict(SandboxID(2), .staleCode)))
        let next = node.request(1, at: 140)
        #expect(next.dispatched.isEmpty)
        #expect(next.created.map(\.generation) == [2])
    }

    @Test func aStartOfOldCodeIsGivenUpAndItsRequestServedByNewCode() throws {
        var node = try Harness()
        node.register(1)
        node.request(1, at: 0)
        let effects = node.send(.functionUpdated(Harness.spec(1, generation: 2)), at: 10)
        #expect(effects.evicted == [1])
        #expect(effects.created.map(\.generation) == [2])
        // The old one comes ready after all: too late.
        #expect(node.ready(1, at: 20).records == [.ignored(.unexpectedState)])
        #expect(node.ready(2, at: 100).dispatched.map(\.request) == [1])
    }

    @Test func anOlderGenerationIsIgnored() throws {
        var node = try Harness()
        node.register(1, generation: 5)
        #expect(
            node.send(.functionUpdated(Harness.spec(1, generation: 4))).records == [.ignored(.olderGeneration)])
    }

    @Test func aDeletedFunctionAnswersItsQueueAndLeavesNothing() throws {
        var node = try Harness()
        node.register(1)
        let idle = node.warm(1)
        node.request(1, at: 500)
        node.request(1, at: 500)
        let effects = node.send(.functionDeleted(FunctionID(1)), at: 510)
        #expect(effects.rejected == [.functionDeleted])
        #expect(node.end(2, in: idle, at: 520).contains(.evict(SandboxID(idle), .functionDeleted)))
        node.gone(idle, at: 530)
        node.gone(2, at: 530)
        #expect(node.pool.hasResidue == false)
        // The id may be used again.
        node.register(1, generation: 1)
        #expect(node.request(1, at: 600).created.count == 1)
    }
}
