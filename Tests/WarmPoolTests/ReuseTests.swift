import Testing

@testable import WarmPool

/// The worth of idle sandboxes, on known truth.
@Suite struct ReuseTests {
    @Test func agesFallIntoOctaves() {
        #expect(AgeBins.bin(0) == 0)
        for bin in 0..<AgeBins.count {
            #expect(AgeBins.begin(bin) < AgeBins.end(bin))
            #expect(AgeBins.bin(AgeBins.begin(bin) * 1.0001 + 1e-6) == bin)
            if bin > 1 { #expect(AgeBins.begin(bin) == 2 * AgeBins.begin(bin - 1)) }
        }
        #expect(AgeBins.bin(1e12) == AgeBins.count - 1)
    }

    /// Uses at a constant rate: whatever the age, the index is that rate.
    @Test func aConstantRateIsLearned() {
        var model = ReuseModel()
        var own = ReuseCounts()
        var random = SplitMix(seed: 5)
        for _ in 0..<4000 {
            let uniform = random.unit()
            // Geometric in tenths of a second, 1/20 a second.
            var age = 0.0
            var survival = 1.0
            while survival > uniform, age < 400 {
                age += 0.1
                survival *= 1 - 0.1 / 20
            }
            model.watched(ReuseModel.gapClass(20), &own, from: 0, to: age, isUse: true)
        }
        for age in [0.0, 3, 30] {
            let rate = model.useRate(ReuseModel.gapClass(20), own, age: age)
            #expect((0.04...0.07).contains(rate), "at \(age): \(rate)")
        }
    }

    /// What is used every 100 s is worth more the nearer its use, and little once that is past.
    @Test func aPeriodicUseIsSeenComing() {
        var model = ReuseModel()
        var own = ReuseCounts()
        let gap = ReuseModel.gapClass(100)
        for _ in 0..<200 { model.watched(gap, &own, from: 0, to: 100, isUse: true) }
        let rates = [1.0, 50, 88].map { model.useRate(gap, own, age: $0) }
        #expect(rates[0] < rates[1] && rates[1] < rates[2], "\(rates)")
        #expect(model.useRate(gap, own, age: 200) < rates[0])
    }

    /// Sandboxes evicted after a minute count for that minute: the rate stays what it is.
    @Test func evictionDoesNotBiasTheRate() {
        var model = ReuseModel()
        var own = ReuseCounts()
        let gap = ReuseModel.gapClass(60)
        var random = SplitMix(seed: 6)
        for round in 0..<2000 {
            // One in ten is used in its first minute.
            let isUse = round % 10 == 0
            model.watched(gap, &own, from: 0, to: isUse ? 60 * random.unit() : 60, isUse: isUse)
        }
        // 1/600 a second; uses over the ages at use alone would give 1/30.
        let rate = model.useRate(gap, own, age: 8)
        #expect((0.001...0.01).contains(rate), "\(rate)")
    }

    /// A function called every second stays over one called every minute, though that one was used last.
    @Test func theOftenUsedOutlivesTheLatelyUsed() throws {
        var node = try Harness(megabytes: 250)
        node.register(1, megabytes: 100)
        node.register(2, megabytes: 100)
        let often = node.warm(1, megabytes: 80)
        let seldom = node.warm(2, megabytes: 80)
        var last: Int64 = 1000
        for second in Int64(1)...300 {
            last = second * 1000
            node.request(1, at: last)
            node.end(node.latestRequest, in: often, megabytes: 80)
            if second % 60 == 0 {
                node.request(2, at: last + 500)
                node.end(node.latestRequest, in: seldom, megabytes: 80)
            }
        }
        node.register(3, megabytes: 100)
        #expect(node.request(3, at: last + 700).evicted == [seldom])
    }

    /// A forecast of the minute is fulfilled by its first call, and keeps nothing after it.
    @Test func aFulfilledForecastKeepsNothing() throws {
        func victims(callAfterForecast: Bool) throws -> [UInt64] {
            var node = try Harness(megabytes: 250)
            node.register(1, megabytes: 100)
            node.register(2, megabytes: 100)
            let foreseen = node.warm(1, megabytes: 80)
            let other = node.warm(2, megabytes: 80)
            #expect((foreseen, other) == (1, 2))
            node.send(.tick, at: 500)
            node.predict(1, 0.999, for: 450_000)
            if callAfterForecast {
                node.request(1, at: 1000)
                node.end(node.latestRequest, in: foreseen, megabytes: 80)
            }
            // Used last, so by idle time alone the one to keep.
            node.request(2, at: 300_000)
            node.end(node.latestRequest, in: other, megabytes: 80)
            node.register(3, megabytes: 100)
            return node.request(3, at: 400_000).evicted
        }
        #expect(try victims(callAfterForecast: false) == [2])
        #expect(try victims(callAfterForecast: true) == [1])
    }

    @Test func greedyDualIsNotMadeYoungByForecasts() throws {
        var node = try Harness(megabytes: 250) { $0.evictionPolicy = .greedyDual }
        for function in UInt32(1)...2 { node.register(function, megabytes: 100) }
        let old = node.warm(1, megabytes: 80)
        _ = node.warm(2, megabytes: 80)
        node.register(3, megabytes: 100)
        node.register(4, megabytes: 100)
        // Evicts the sandbox of 1 or 2 and so moves the clock.
        let first = node.request(3, at: 1000).evicted
        #expect(first.count == 1)
        let left = first == [old] ? UInt32(2) : 1
        for creation in node.gone(first[0]).created { node.ready(creation.sandbox.rawValue, megabytes: 80) }
        let kept = SandboxID(left == 2 ? 2 : 1)
        let before = node.pool.explain(kept)?.evictionPriority
        node.predict(left, 0.01, for: 600_000)
        let after = node.pool.explain(kept)?.evictionPriority
        #expect(try #require(after) <= #require(before))
    }

    @Test func forecastsThatBringNothingLoseTheirSay() {
        var trust = PrefetchTrust()
        for _ in 0..<50 { trust.settled(.forecast, probability: 0.8, isHit: false) }
        #expect(trust[.forecast] < 0.05)
        #expect(trust[.plan] == 1)
        for _ in 0..<600 { trust.settled(.forecast, probability: 0.8, isHit: true) }
        #expect(trust[.forecast] > 0.9)
    }
}
