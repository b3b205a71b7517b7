import Testing

@testable import Replay

@Suite struct EvictionTests {
    private func run(_ rule: EvictionRule, _ trace: MinuteTrace, _ budget: Double) -> PolicyOutcome {
        EvictionReplay.run(trace, rule, budgetMB: budget, policy: rule.rawValue)
    }

    // One size, room for two: a b a c a b (one a minute).
    private let trace = minuteTrace([[0, 2, 4], [1, 5], [3]], minutes: 6, memoryMB: [100, 100, 100])

    @Test func leastRecentlyUsed() {
        let outcome = run(.lru, trace, 200)
        // c displaces b, then b displaces c: a is never lost.
        #expect(outcome.tallies.map(\.cold) == [1, 2, 1])
        #expect(outcome.tallies.map(\.waste) == [3, 1, 2 - 1])
    }

    @Test func beladyKeepsWhatComesSoonest() {
        // At minute 3 both a (in 1) and b (in 2) come again, c never: but c is active then, and b must go.
        #expect(run(.belady, trace, 200).tallies.map(\.cold) == [1, 2, 1])
        // With a minute's distance b is kept, c evicted.
        let later = minuteTrace([[0, 2, 5], [1, 6], [3]], minutes: 7, memoryMB: [100, 100, 100])
        #expect(run(.belady, later, 200).cold <= run(.lru, later, 200).cold)
    }

    @Test func greedyDualPrefersSmallAndFrequent() {
        // One of two must go at minute 2: least recently used is the small one, least worth its memory the big one.
        let mixed = minuteTrace([[0, 3], [1], [2]], minutes: 4, memoryMB: [10, 100, 10])
        #expect(run(.greedyDual, mixed, 110).tallies.map(\.cold) == [1, 1, 1])
        #expect(run(.lru, mixed, 110).tallies.map(\.cold) == [2, 1, 1])
    }

    @Test func leastFrequentlyUsed() {
        let trace = minuteTrace([[0, 1, 2, 6], [3], [4]], minutes: 7, memoryMB: [1, 1, 1])
        #expect(run(.lfu, trace, 2).tallies.map(\.cold) == [1, 1, 1])
        #expect(run(.lru, trace, 2).tallies.map(\.cold) == [2, 1, 1])
    }

    @Test func roomForAllIsNoUnload() {
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = SeededGenerator(seed: seed)
        let rows = (0..<6).map { _ in
            Array(Set((0..<20).map { _ in Int.random(in: 0..<100, using: &random) })).sorted()
        }
        let trace = minuteTrace(rows, minutes: 100)
        let forever = IdleWindowReplay.run(trace, policy: "", knob: "") { FixedKeepAlive(minutes: nil) }
        for rule in EvictionRule.allCases where rule != .belady {
            let outcome = run(rule, trace, trace.neededMB)
            #expect(outcome.tallies == forever.tallies, "seed \(seed)")
        }
    }

    @Test func memoryStaysWithinItsBudget() {
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = SeededGenerator(seed: seed)
        let rows = (0..<8).map { _ in
            Array(Set((0..<20).map { _ in Int.random(in: 0..<300, using: &random) })).sorted()
        }
        let sizes = (0..<8).map { _ in Double.random(in: 10...100, using: &random) }
        let trace = minuteTrace(rows, minutes: 300, memoryMB: sizes)
        for rule in EvictionRule.allCases {
            var state = EvictionState(trace, rule)
            for minute in 0..<300 {
                var active = 0.0
                for unit in trace.activeUnits[trace.minuteStart[minute]..<trace.minuteStart[minute + 1]] {
                    _ = state.use(Int(unit), at: minute)
                    active += sizes[Int(unit)]
                }
                state.shrink(to: 120, at: minute)
                let held = state.loaded.reduce(0) { $0 + sizes[$1] }
                #expect(held <= max(120, active) + 1e-6, "seed \(seed)")
            }
        }
    }
}
