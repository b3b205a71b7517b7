import Testing
import WarmPool

@Suite struct TierTests {
    private func pooled(bare: Int = 0, runtime: Int = 0, demote: Tier? = nil) throws -> Harness {
        try Harness {
            $0.barePool = bare
            $0.runtimePool = runtime
            $0.demoteTo = demote
        }
    }

    @Test func thePoolsAreFilledForImagesInUse() throws {
        var node = try pooled(bare: 1, runtime: 1)
        let created = node.register(1).created
        #expect(Set(created.map(\.tier)) == [.bare, .runtime])
        #expect(created.allSatisfy { $0.function == nil && $0.weight == .background })
        // A second function of the image shares them.
        #expect(node.register(2).created.isEmpty)
    }

    @Test(arguments: [(Tier.bare, StartKind.bare), (.runtime, .runtime)])
    func aRequestTakesTheBestTierInHand(_ tier: Tier, _ kind: StartKind) throws {
        var node = try pooled(bare: tier == .bare ? 1 : 0, runtime: tier == .runtime ? 1 : 0)
        node.register(1)
        node.ready(1, tier, megabytes: 2, at: 10)
        let effects = node.request(1, at: 100)
        #expect(
            effects.contains(
                .promote(SandboxID(1), function: FunctionID(1), generation: 1, to: .ready, weight: .live)))
        // The pool is filled again, but not beside the request's start.
        #expect(effects.created.isEmpty)
        #expect(node.ready(1, at: 103).dispatched.map(\.start) == [kind])
        let refill = effects.compactMap { if case .wake(let at) = $0 { at } else { nil } }.min()
        let due = try #require(refill).nanoseconds / 1_000_000
        #expect((105...200).contains(due))
        #expect(node.send(.tick, at: due - 1).created.isEmpty)
        #expect(node.send(.tick, at: due).created.map(\.weight) == [.background])
    }

    /// However many requests come, shelves are filled again: each takes one, and none of them puts the filling off anew.
    @Test func aRefillIsPutOffOnce() throws {
        var node = try Harness(megabytes: 8192) {
            $0.barePool = 20
            $0.maxBackgroundStarts = 20
            $0.maxLiveStarts = 32
        }
        for function in 1...20 as ClosedRange<UInt32> { node.register(function) }
        for id in node.pool.sandboxSnapshots().map(\.id.rawValue) { node.ready(id, .bare, megabytes: 2, at: 10) }
        var filled: [Int64] = []
        for step in 0..<20 as Range<Int64> {
            let effects = node.request(UInt32(step) + 1, at: 1000 + step * 20)
            #expect(effects.contains { if case .promote = $0 { true } else { false } })
            if effects.created.contains(where: { $0.function == nil }) { filled.append(step) }
        }
        let first = try #require(filled.first)
        #expect((1...6).contains(first), "\(filled)")
    }

    @Test func mediumConfidenceBuysALowerTier() throws {
        var node = try pooled(runtime: 1)
        node.register(1)
        node.ready(1, .runtime, megabytes: 20, at: 10)
        let medium = node.predict(1, 0.3, at: 20)
        #expect(medium.created.map(\.tier) == [.runtime])
        node.ready(2, .runtime, megabytes: 20, at: 30)
        #expect(node.predict(1, 0.1, at: 40).created.isEmpty)
        // High confidence: a ready one, from what is there.
        let high = node.predict(1, 0.9, at: 50)
        #expect(high.contains { if case .promote(_, _, _, .ready, .background) = $0 { true } else { false } })
    }

    @Test func anExpiredSandboxIsDemotedWhereThePoolLacksOne() throws {
        var node = try pooled(bare: 1, demote: .bare)
        node.register(1, keepAlive: .seconds(10))
        let first = node.request(1, at: 0).createdIDs.last ?? 0
        node.ready(first, at: 100)
        node.end(1, in: first, at: 200)
        node.send(.sandboxFailed(SandboxID(1), stage: .sandbox), at: 300)
        let again = node.pool.sandboxSnapshots().filter { $0.state == .creating }.map(\.id)
        for id in again { node.send(.sandboxFailed(id, stage: .sandbox), at: 9_000) }
        let left = node.pool.sandboxSnapshots().filter { $0.state == .creating }.map(\.id)
        for id in left { node.send(.sandboxFailed(id, stage: .sandbox), at: 9_500) }
        let effects = node.send(.tick, at: 10_200)
        #expect(effects.contains(.demote(SandboxID(first), to: .bare)))
        node.ready(first, .bare, megabytes: 1, at: 10_300)
        let snapshot = node.pool.sandbox(SandboxID(first))
        #expect(snapshot?.tier == .bare)
        #expect(snapshot?.function == nil)
        #expect(snapshot?.uses == 0)
    }

    @Test func progressOfAStartIsTold() throws {
        var node = try pooled()
        node.register(1)
        node.request(1, at: 0)
        #expect(node.ready(1, .bare, at: 10).dispatched.isEmpty)
        #expect(node.pool.sandbox(SandboxID(1))?.tier == .bare)
        // A request that comes now finds it at the bare tier.
        node.send(.requestCancelled(RequestID(1)), at: 11)
        node.request(1, at: 20)
        #expect(node.ready(1, at: 100).dispatched.map(\.start) == [.bare])
    }

    @Test func aShelvedSandboxThatEndsIsReplaced() throws {
        var node = try pooled(bare: 1)
        node.register(1)
        node.ready(1, .bare, megabytes: 1, at: 10)
        let effects = node.gone(1, at: 20)
        #expect(effects.created.map(\.tier) == [.bare])
        #expect(node.pool.sandbox(SandboxID(1)) == nil)
    }

    @Test func aFunctionWithoutARuntimeTierStartsFromABareSandbox() throws {
        var node = try pooled(bare: 1, runtime: 1)
        var spec = Harness.spec(1)
        spec.hasRuntimeTier = false
        #expect(node.send(.functionRegistered(spec)).created.map(\.tier) == [.bare])
        // Another one's runtime sandbox is not for it.
        node.register(2)
        node.ready(2, .runtime, megabytes: 20, at: 10)
        node.ready(1, .bare, megabytes: 1, at: 20)
        let effects = node.request(1, at: 100)
        #expect(
            effects.contains(
                .promote(SandboxID(1), function: FunctionID(1), generation: 1, to: .ready, weight: .live)))
        // Medium confidence buys it a bare one.
        node.ready(1, at: 110)
        node.ready(3, .bare, megabytes: 1, at: 120)
        #expect(node.predict(1, 0.3, count: 3, at: 130).created.allSatisfy { $0.tier == .bare })
    }
}
