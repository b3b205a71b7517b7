import Testing
import WarmPool

@Suite struct KeepAliveTests {
    @Test func theLadderOfAnIdleSandbox() throws {
        var node = try Harness {
            $0.freezeAfter = .seconds(1)
            $0.reclaimAfter = .seconds(10)
        }
        node.register(1, keepAlive: .seconds(60))
        _ = node.warm(1)
        #expect(node.send(.tick, at: 1000).contains(.freeze(SandboxID(1))))
        #expect(node.send(.tick, at: 10_000).contains(.reclaim(SandboxID(1))))
        #expect(node.send(.tick, at: 59_999).evicted.isEmpty)
        #expect(node.send(.tick, at: 60_000).contains(.evict(SandboxID(1), .expired)))
    }

    @Test func thawsBeforeADispatch() throws {
        var node = try Harness { $0.freezeAfter = .seconds(1) }
        node.register(1)
        _ = node.warm(1)
        node.send(.tick, at: 1000)
        let effects = node.request(1, at: 2000).filter { if case .wake = $0 { false } else { true } }
        #expect(
            effects == [
                .thaw(SandboxID(1)),
                .dispatch(RequestID(2), sandbox: SandboxID(1), start: .warm, waited: .zero),
            ])
    }

    @Test func everyUseBeginsTheKeepAliveAnew() throws {
        var node = try Harness()
        node.register(1, keepAlive: .seconds(60))
        _ = node.warm(1)
        node.request(1, at: 50_000)
        node.end(2, in: 1, at: 50_001)
        #expect(node.send(.tick, at: 60_000).evicted.isEmpty)
        #expect(node.send(.tick, at: 110_001).evicted == [1])
    }

    @Test func aForecastProlongsIt() throws {
        var node = try Harness()
        node.register(1, keepAlive: .seconds(60))
        _ = node.warm(1)
        node.predict(1, 0.9, for: 120_000, at: 0)
        #expect(node.send(.tick, at: 60_000).evicted.isEmpty)
        #expect(node.send(.tick, at: 120_000).evicted == [1])
    }

    @Test func aForecastThatExpectsNothingEndsItWhereSoConfigured() throws {
        for ends in [false, true] {
            var node = try Harness {
                $0.forecastEndsKeepAlive = ends
                $0.minimumIdle = .seconds(5)
            }
            node.register(1, keepAlive: .seconds(60))
            _ = node.warm(1)
            node.predict(1, 0.01, for: 600_000, at: 0)
            #expect(node.send(.tick, at: 5_000).evicted.isEmpty == !ends)
        }
    }

    @Test func theMostRecentlyUsedIsClaimedAndTheOthersAge() throws {
        var node = try Harness()
        node.register(1, keepAlive: .seconds(60))
        node.request(1, at: 0)
        node.request(1, at: 0)
        node.ready(1, at: 10)
        node.ready(2, at: 10)
        node.end(1, in: 1, at: 20)
        node.end(2, in: 2, at: 30)
        for step in Int64(1)...10 {
            let effects = node.request(1, at: step * 5000)
            #expect(effects.dispatched.map(\.sandbox) == [2])
            node.end(UInt64(2 + step), in: 2, at: step * 5000 + 1)
        }
        #expect(node.send(.tick, at: 60_020).evicted == [1])
    }

    @Test func aSpentSandboxIsNotUsedAgain() throws {
        var node = try Harness { $0.maxUses = 2 }
        node.register(1)
        _ = node.warm(1)
        node.request(1, at: 100)
        #expect(node.end(2, in: 1, at: 110).contains(.evict(SandboxID(1), .spent)))
        node.request(1, at: 200)
        node.ready(2, at: 300)
        #expect(node.end(3, in: 2, reusable: false, at: 310).contains(.evict(SandboxID(2), .spent)))
    }
}
