import Testing
import WarmPool

@Suite struct ThresholdTests {
    /// Feeds warm requests (`wait` = 0) or cold ones over some intervals and returns the threshold.
    private func threshold(coldStart: Int64, rounds: Int) throws -> (Double, [Record]) {
        var node = try Harness(megabytes: 100_000) {
            $0.threshold.target = .milliseconds(50)
            $0.threshold.interval = .seconds(1)
            $0.threshold.minimumSamples = 5
        }
        node.register(1)
        var records: [Record] = []
        var sandbox: UInt64 = 0
        for round in 0..<rounds {
            for step in 0..<10 {
                let at = Int64(round * 1000 + step * 100)
                let effects = node.request(1, at: at)
                records += effects.records
                if let created = effects.createdIDs.first {
                    sandbox = created
                    records += node.ready(created, took: coldStart, at: at + coldStart).records
                }
                let isCold = coldStart > 50
                records += node.end(node.latestRequest, in: sandbox, reusable: !isCold).records
                if isCold { node.gone(sandbox) }
            }
        }
        return (node.pool.threshold.threshold, records)
    }

    @Test func slowStartsLowerItToItsBound() throws {
        let (value, records) = try threshold(coldStart: 80, rounds: 40)
        #expect(value == 0.05)
        #expect(
            records.contains { if case .thresholdMoved(_, _, .latencyOverTarget, _) = $0 { true } else { false } })
    }

    @Test func quickStartsRaiseItToItsBound() throws {
        let (value, _) = try threshold(coldStart: 1, rounds: 60)
        #expect(value == 0.95)
    }

    @Test func restsInsideTheBand() throws {
        let (value, _) = try threshold(coldStart: 52, rounds: 40)
        #expect(value == 0.5)
    }

    @Test func pressureRaisesItAtOnceAndWithinBounds() throws {
        var node = try Harness()
        node.send(.memoryPressure(.moderate))
        #expect(abs(node.pool.threshold.threshold - 0.6) < 1e-9)
        for _ in 0..<20 { node.send(.memoryPressure(.critical)) }
        #expect(node.pool.threshold.threshold == 0.95)
    }

    @Test func aLowerThresholdLooksAgainAtWhatWasDeclined() throws {
        var node = try Harness(megabytes: 100_000) {
            $0.threshold.interval = .seconds(1)
            $0.threshold.minimumSamples = 1
            $0.threshold.lowerStep = 0.2
        }
        node.register(1)
        node.register(2)
        #expect(node.predict(2, 0.4, at: 0).created.isEmpty)
        node.request(1, at: 10)
        node.ready(1, at: 500)
        #expect(node.send(.tick, at: 2000).created.map(\.function) == [FunctionID(2)])
    }

    @Test func histogramQuantiles() {
        var histogram = LatencyHistogram()
        #expect(histogram.quantile(0.95) == .zero)
        for value in Int64(1)...1000 { histogram.add(.milliseconds(value)) }
        for (share, expected) in [(0.5, 500.0), (0.95, 950), (1, 1000)] {
            #expect(abs(histogram.quantile(share).inMilliseconds / expected - 1) < 0.07)
        }
        histogram.add(Nanoseconds(-5))
        histogram.add(.max)
        #expect(histogram.quantile(1).value > 8_000_000_000_000_000_000)
    }
}
