import Testing
import WarmPool

@Suite struct PlanTests {
    private func plan(_ generation: UInt64, seconds: Int64 = 60, _ entries: [PlanEntry]) -> Event {
        .planReceived(Plan(generation: generation, ttl: .seconds(seconds), entries: entries))
    }

    @Test func aPlanIsFollowed() throws {
        var node = try Harness()
        node.register(1)
        let effects = node.send(plan(1, [PlanEntry(function: FunctionID(1), confidence: 0.9, count: 2)]), at: 0)
        #expect(effects.created.count == 2)
        #expect(effects.records.contains(.planAccepted(generation: 1, entries: 1)))
        node.ready(1, at: 100)
        #expect(node.request(1, at: 200).dispatched.map(\.start) == [.prefetched])
        #expect(node.pool.explain(SandboxID(1))?.origin.plan == 1)
    }

    @Test func anOlderOrEqualGenerationIsRefused() throws {
        var node = try Harness()
        node.send(plan(5, []))
        #expect(node.send(plan(5, [])).records == [.planRefused(generation: 5, inForce: 5)])
        #expect(node.send(plan(4, [])).records == [.planRefused(generation: 4, inForce: 5)])
        #expect(node.send(plan(6, [])).records == [.planAccepted(generation: 6, entries: 0)])
    }

    @Test func aNewPlanReplacesTheOldOneWhole() throws {
        var node = try Harness { $0.maxBackgroundStarts = 0 }
        node.register(1)
        node.send(plan(1, [PlanEntry(function: FunctionID(1), confidence: 0.9, reservedMemory: 100 << 20)]))
        #expect(node.pool.snapshot().reserved == 100 << 20)
        node.send(plan(2, []))
        #expect(node.pool.snapshot().reserved == 0)
    }

    @Test func anExpiredPlanFades() throws {
        var node = try Harness()
        node.register(1)
        node.send(plan(1, seconds: 60, [PlanEntry(function: FunctionID(1), confidence: 0.9)]), at: 0)
        node.ready(1, at: 100)
        let effects = node.send(.tick, at: 60_000)
        #expect(effects.records.contains(.planExpired(generation: 1)))
        #expect(effects.evicted == [1] || node.send(.tick, at: 60_001).evicted == [1])
        // Its generation still counts.
        #expect(node.send(plan(1, [])).records == [.planRefused(generation: 1, inForce: 1)])
    }

    @Test func windowsCountFromTheArrival() throws {
        var node = try Harness { $0.leadMargin = .zero }
        node.register(1, cold: 1000)
        let entry = PlanEntry(
            function: FunctionID(1), confidence: 0.9, windowStart: .seconds(30), windowEnd: .seconds(40))
        #expect(node.send(plan(1, [entry]), at: 10_000).created.isEmpty)
        #expect(node.send(.tick, at: 38_700).created.isEmpty)
        #expect(node.send(.tick, at: 38_750).created.count == 1)
    }

    @Test func entriesWaitForTheirFunction() throws {
        var node = try Harness()
        node.send(plan(1, [PlanEntry(function: FunctionID(1), confidence: 0.9)]))
        #expect(node.register(1).created.count == 1)
    }

    @Test func priorityGoesFirst() throws {
        var node = try Harness { $0.maxBackgroundStarts = 1 }
        node.register(1)
        node.register(2)
        let effects = node.send(
            plan(
                1,
                [
                    PlanEntry(function: FunctionID(1), confidence: 0.9),
                    PlanEntry(function: FunctionID(2), confidence: 0.9, priority: 1),
                ]))
        let next = node.ready(1).created
        // The first is begun when its entry is taken in; of what waits, the higher priority goes first.
        #expect((effects.created + next).compactMap(\.function?.rawValue).sorted() == [1, 2])
    }

    @Test func takesTenThousandEntries() throws {
        var node = try Harness(megabytes: 1 << 20)
        for function in UInt32(0)..<10_000 { node.register(function) }
        let entries = (UInt32(0)..<10_000).map { PlanEntry(function: FunctionID($0), confidence: 0.9) }
        #expect(node.send(plan(1, entries)).created.count == 2)
    }
}
