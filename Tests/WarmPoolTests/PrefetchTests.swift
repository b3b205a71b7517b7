import Testing
import WarmPool

@Suite struct PrefetchTests {
    @Test func aPrefetchMakesTheNextStartPrefetched() throws {
        var node = try Harness()
        node.register(1)
        let effects = node.send(
            .prefetchRequested(FunctionID(1), count: 1, tier: nil, ttl: .seconds(60), confidence: 1), at: 0)
        #expect(effects.created.map(\.weight) == [.background])
        node.ready(1, at: 200)
        let hit = node.request(1, at: 5200)
        #expect(hit.dispatched.map(\.start) == [.prefetched])
        #expect(
            hit.records.contains(
                .prefetchHit(SandboxID(1), FunctionID(1), .request, lead: .seconds(5), megabyteSeconds: 100)))
        let ledger = node.pool.ledger[.request]
        #expect(ledger.started == 1 && ledger.hits == 1 && ledger.wasted == 0)
        // It was for one start: the sandbox that was used is not replaced.
        #expect(node.send(.tick, at: 6000).created.isEmpty)
    }

    @Test func countsWhatIsThere() throws {
        var node = try Harness()
        node.register(1)
        _ = node.warm(1)
        let effects = node.send(
            .prefetchRequested(FunctionID(1), count: 3, tier: .ready, ttl: .seconds(60), confidence: 1))
        #expect(effects.created.count == 2)
    }

    @Test func anUnusedOneIsLetGoAtItsTTL() throws {
        var node = try Harness()
        node.register(1)
        node.send(.prefetchRequested(FunctionID(1), count: 1, tier: nil, ttl: .seconds(10), confidence: 1), at: 0)
        node.ready(1, megabytes: 10, at: 100)
        #expect(node.send(.tick, at: 9_999).evicted.isEmpty)
        let effects = node.send(.tick, at: 10_000)
        #expect(effects.evicted == [1])
        #expect(node.pool.ledger[.request].wasted == 1)
        #expect(abs(node.pool.ledger[.request].wastedMegabyteSeconds - 99) < 0.01)
    }

    @Test func onlyDemandOverTheThresholdIsServed() throws {
        var node = try Harness { $0.threshold.initial = 0.5 }
        node.register(1)
        #expect(node.predict(1, 0.45).created.isEmpty)
        #expect(node.predict(1, 0.55).created.count == 1)
    }

    @Test func beginsWhenItIsDueMinusItsStartCost() throws {
        var node = try Harness { $0.leadMargin = .milliseconds(200) }
        node.register(1, cold: 1000)
        let effects = node.predict(1, 0.9, in: 60_000, at: 0)
        #expect(effects.created.isEmpty)
        // 1.25 x 1 s + 200 ms before.
        #expect(effects.wake == 58_550)
        #expect(node.send(.tick, at: 58_549).created.isEmpty)
        #expect(node.send(.tick, at: 58_550).created.count == 1)
    }

    @Test func theLargestSurplusPerMegabyteGoesFirst() throws {
        var node = try Harness { $0.maxBackgroundStarts = 0 }
        node.register(1, megabytes: 200)
        node.register(2, megabytes: 50)
        node.register(3, megabytes: 200, cold: 3000)
        for function in UInt32(1)...3 { #expect(node.predict(function, 0.8).created.isEmpty) }
        var paced = try Harness { $0.maxBackgroundStarts = 1 }
        paced.register(4)
        paced.predict(4, 0.99)
        paced.register(1, megabytes: 200)
        paced.register(2, megabytes: 50)
        paced.register(3, megabytes: 200, cold: 3000)
        for function in UInt32(1)...3 { #expect(paced.predict(function, 0.8).created.isEmpty) }
        // One start at a time, and in the order of worth: 3 saves most, 2 is smaller than 1.
        var order: [UInt32] = []
        for sandbox in UInt64(1)...3 { order += paced.ready(sandbox).created.compactMap { $0.function?.rawValue } }
        #expect(order == [3, 2, 1])
    }

    @Test func whatIsNotWorthItsMemoryIsNotDone() throws {
        var node = try Harness { $0.price = 1 }
        node.register(1, cold: 100)
        // 90 ms saved for 100 MB over an hour.
        #expect(node.predict(1, 0.9, for: 3_600_000).created.isEmpty)
        #expect(node.predict(1, 0.9, for: 100).created.count == 1)
    }

    @Test func liveRequestsDoNotWaitBehindWarmUps() throws {
        var node = try Harness(megabytes: 10_000) {
            $0.maxBackgroundStarts = 2
            $0.maxLiveStarts = 1
        }
        for function in UInt32(1)...10 {
            node.register(function)
            node.predict(function, 0.9)
        }
        #expect(node.pool.snapshot().backgroundStarts == 2)
        node.register(11)
        #expect(node.request(11).created.map(\.weight) == [.live])
        // While a request waits for a start, no warm-up begins.
        node.request(11)
        #expect(node.ready(1, at: 50).created.isEmpty)
    }

    @Test func aRequestRaisesTheStartThatWasUnderWay() throws {
        var node = try Harness()
        node.register(1)
        node.predict(1, 0.9, at: 0)
        let effects = node.request(1, at: 10)
        #expect(effects.contains(.raise(SandboxID(1))))
        #expect(effects.created.isEmpty)
        let ready = node.ready(1, at: 100)
        #expect(ready.dispatched.map(\.start) == [.cold])
        #expect(ready.records.contains(.prefetchLate(SandboxID(1), FunctionID(1), .forecast)))
    }

    @Test func keepsTheFloorFilled() throws {
        var node = try Harness { $0.maxBackgroundStarts = 4 }
        #expect(node.register(1, minReady: 2).created.count == 2)
        node.ready(1)
        node.ready(2)
        #expect(node.gone(1).created.count == 1)
        // Neither does keep-alive end them.
        #expect(node.send(.tick, at: 100_000_000).evicted.isEmpty)
    }

    @Test func aTriggerPrefetchesForItsTarget() throws {
        var node = try Harness()
        node.register(1)
        let effects = node.send(
            .triggerFired(FunctionID(1), probability: 0.9, count: 1, delay: .zero, ttl: .seconds(5)), at: 0)
        #expect(effects.created.count == 1)
        node.ready(1, at: 100)
        #expect(
            node.request(1, at: 200).records.contains {
                if case .prefetchHit(_, _, .trigger, _, _) = $0 { true } else { false }
            })
    }

    @Test func aPrefetchOutbidsOnlyWhatIsWorthLess() throws {
        var node = try Harness(megabytes: 220) { $0.liveHeadroom = 0 }
        node.register(1, megabytes: 100)
        let idle = node.warm(1, megabytes: 90)
        node.register(2, megabytes: 150, cold: 100)
        // Seen once long ago: hardly expected.
        #expect(node.predict(2, 0.9, at: 3_600_000).evicted.isEmpty == false || node.pool.snapshot().idle == 0)
        #expect(node.gone(idle, at: 3_600_010).created.count == 1 || node.pool.snapshot().backgroundStarts == 1)
    }

    @Test func explains() throws {
        var node = try Harness()
        node.register(1)
        node.predict(1, 0.9, at: 0)
        node.ready(1, at: 100)
        let text = node.pool.explain(SandboxID(1)).map(\.description) ?? ""
        #expect(
            text.hasPrefix("prefetched on forecast (confidence 90 % over threshold 50 %), not used yet, kept for 59 s"))
        #expect(node.pool.explain(SandboxID(7)) == nil)
        let listed = node.pool.sandboxSnapshots()
        #expect(listed.map(\.state) == [.idle])
        #expect(listed.map(\.memory) == [20 << 20])
    }
}
