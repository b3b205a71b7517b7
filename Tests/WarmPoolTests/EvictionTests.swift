import Testing
import WarmPool

@Suite struct EvictionTests {
    /// Which of three idle functions goes first: 1 is cold-start heavy, 2 was used last but is cheap, 3 is important.
    private func victim(_ policy: EvictionPolicyName) throws -> UInt64? {
        var node = try Harness(megabytes: 200) { $0.evictionPolicy = policy }
        node.register(1, megabytes: 60, cold: 10_000)
        node.register(2, megabytes: 60, cold: 10)
        node.register(3, megabytes: 60, weight: 5, cold: 500)
        for (at, function) in [(Int64(0), UInt32(1)), (1000, 3), (2000, 2)] {
            node.send(.tick, at: at)
            node.request(function)
            node.ready(
                node.pool.snapshot().counters.created == 1 ? 1 : UInt64(node.pool.snapshot().counters.created),
                took: function == 1 ? 10_000 : function == 2 ? 10 : 500)
            node.end(node.latestRequest, in: UInt64(node.pool.snapshot().counters.created), megabytes: 50)
        }
        node.register(4, megabytes: 80)
        let victims = node.request(4, at: 3000).evicted
        return victims.first
    }

    @Test func leastRecentlyUsed() throws { #expect(try victim(.lru) == 1) }
    /// Of equal importance the least recently used.
    @Test func byPriority() throws { #expect(try victim(.priority) == 1) }
    @Test func greedyDualKeepsWhatIsDearToStart() throws { #expect(try victim(.greedyDual) == 3) }

    @Test func predictionStandsForFrequency() throws {
        var node = try Harness(megabytes: 200)
        for function in UInt32(1)...2 {
            node.register(function, megabytes: 90)
            _ = node.warm(function, megabytes: 80)
        }
        node.predict(1, 0.9, for: 600_000)
        node.predict(2, 0.1, for: 600_000)
        node.register(3, megabytes: 100)
        #expect(node.request(3, at: 100).evicted == [2])
    }

    @Test func whatWasNotUsedForLongAgesWhateverItIsWorth() throws {
        var node = try Harness(megabytes: 150)
        node.register(1, megabytes: 100, cold: 2000)
        _ = node.warm(1, megabytes: 80)
        var evictedDear = false
        for round in 0..<200 where !evictedDear {
            let function = UInt32(2 + round % 2)
            if round < 2 { node.register(function, megabytes: 65, cold: 400) }
            let effects = node.request(function, at: Int64(1000 * (round + 1)))
            evictedDear = effects.evicted.contains(1)
            for sandbox in effects.evicted {
                for creation in node.gone(sandbox).created { node.ready(creation.sandbox.rawValue, megabytes: 60) }
            }
            for creation in effects.created { node.ready(creation.sandbox.rawValue, megabytes: 60) }
            for snapshot in node.pool.sandboxSnapshots() where snapshot.state == .running {
                node.end(node.latestRequest, in: snapshot.id.rawValue, megabytes: 60)
            }
        }
        #expect(evictedDear)
    }

    @Test func endsOnRequest() throws {
        var node = try Harness()
        node.register(1)
        let idle = node.warm(1)
        node.request(1)
        #expect(node.send(.evictRequested(.sandbox(SandboxID(idle)))).evicted.isEmpty)
        node.end(2, in: idle)
        #expect(node.send(.evictRequested(.function(FunctionID(1)))).evicted == [idle])
        let other = node.warm(1)
        #expect(node.send(.evictRequested(.all)).evicted == [other])
        #expect(node.send(.evictRequested(.sandbox(SandboxID(99)))).records == [.ignored(.unknownSandbox)])
    }
}
