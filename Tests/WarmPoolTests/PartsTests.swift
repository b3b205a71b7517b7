import Testing

@testable import WarmPool

@Suite struct PartsTests {
    @Test func heapAgainstASortedList() {
        var random = SplitMix(seed: 7)
        var heap = IndexedHeap<Int>()
        var model: [Int: Int] = [:]
        for _ in 0..<20_000 {
            let slot = random.below(60)
            if random.chance(70) {
                let key = random.below(1000)
                heap.set(slot, key)
                model[slot] = key
            } else {
                heap.remove(slot)
                model[slot] = nil
            }
            #expect(heap.count == model.count)
            #expect(heap.firstKey == model.values.min())
            #expect(heap.key(of: slot) == model[slot])
        }
    }

    @Test func timeSaturates() {
        #expect(Nanoseconds.max + .seconds(1) == .max)
        #expect(Instant.distantFuture + .seconds(1) == .distantFuture)
        #expect(Instant(nanoseconds: .min) - .seconds(1) == Instant(nanoseconds: .min))
        #expect(Nanoseconds.seconds(.max) == .max)
        #expect(Nanoseconds(rounding: .nan) == .zero)
        #expect(Nanoseconds(rounding: .infinity) == .max)
    }

    @Test func settingsOutOfRangeAreNamed() {
        var settings = Configuration(memoryBudget: 1 << 30)
        settings.mediumShare = 2
        #expect(throws: ConfigurationError(setting: "mediumShare", problem: "must be from 0 to 1")) {
            try settings.validate()
        }
        #expect(throws: ConfigurationError.self) { try Configuration(memoryBudget: 0).validate() }
        settings = Configuration(memoryBudget: 1 << 30)
        settings.threshold.minimum = 0.9
        #expect(throws: ConfigurationError.self) { try settings.validate() }
        settings = Configuration(memoryBudget: 1 << 30)
        settings.breaker.maxBackoff = .zero
        #expect(throws: ConfigurationError.self) { try settings.validate() }
        #expect(throws: Never.self) { try Configuration(memoryBudget: 1 << 30).validate() }
    }

    @Test func estimatorFollows() {
        var estimator = Estimator()
        #expect(estimator.known == nil)
        for _ in 0..<100 { estimator.add(50) }
        #expect(estimator.known == 50)
        estimator.add(.nan)
        estimator.add(-1)
        #expect(estimator.count == 100)
        for _ in 0..<100 { estimator.add(100) }
        #expect(abs(estimator.mean - 100) < 0.1)
    }
}
