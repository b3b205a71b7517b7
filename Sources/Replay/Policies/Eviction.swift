/// Which idle unit a full memory gives up first, by name.
package enum EvictionRule: String, Sendable, CaseIterable {
    /// Least recently used.
    case lru
    /// Least often used since it was loaded; ties by recency.
    case lfu
    /// Greedy-Dual-Size-Frequency, as FaasCache (ASPLOS 2021): clock + frequency x cost / size, where the clock is the
    /// priority last evicted. Every cold start costs the same here.
    case greedyDual = "greedy-dual"
    /// A bound: the farthest next use, weighted by size. For units of one size it is Belady's optimum; for mixed sizes
    /// a strong heuristic.
    case belady
}

/// Replays a memory of fixed size with an eviction rule, minute by minute: active units are always loaded, idle ones
/// stay until memory runs short.
package enum EvictionReplay {
    package static func run(
        _ trace: MinuteTrace, _ rule: EvictionRule, budgetMB: Double, policy: String
    ) -> PolicyOutcome {
        let share = 100 * budgetMB / max(trace.neededMB, 1e-9)
        var outcome = PolicyOutcome(
            policy: policy, knob: "\(Format.fixed(budgetMB, 0)) MB (\(Format.short(share)) % of need)", trace: trace)
        var cache = EvictionState(trace, rule)
        for minute in 0..<trace.minutes {
            for index in trace.minuteStart[minute]..<trace.minuteStart[minute + 1] {
                let unit = Int(trace.activeUnits[index])
                if cache.use(unit, at: minute) {
                    outcome.tallies[unit].cold += 1
                } else {
                    outcome.tallies[unit].unusedWaste -= Int(cache.stretch[unit])
                }
                cache.stretch[unit] = 0
            }
            cache.shrink(to: budgetMB, at: minute)
            for unit in cache.loaded where cache.lastUse[unit] != Int32(minute) {
                outcome.tallies[unit].waste += 1
                outcome.tallies[unit].unusedWaste += 1
                cache.stretch[unit] += 1
                outcome.wasteByHour[minute / 60] += 1
            }
        }
        return outcome
    }
}

/// The units in memory and what the rules know of them.
struct EvictionState {
    private let trace: MinuteTrace
    private let rule: EvictionRule
    /// Units in memory, in no order.
    private(set) var loaded: [Int] = []
    private var position: [Int]
    private(set) var lastUse: [Int32]
    /// Idle minutes since the last use while loaded.
    var stretch: [Int32]
    private var frequency: [Double]
    private var priority: [Double]
    private var nextIndex: [Int32]
    private var clock = 0.0
    private var usedMB = 0.0

    init(_ trace: MinuteTrace, _ rule: EvictionRule) {
        self.trace = trace
        self.rule = rule
        let count = trace.units.count
        position = [Int](repeating: -1, count: count)
        lastUse = [Int32](repeating: -1, count: count)
        stretch = [Int32](repeating: 0, count: count)
        frequency = [Double](repeating: 0, count: count)
        priority = frequency
        nextIndex = stretch
    }

    /// Notes a use. Returns whether the unit had to be loaded.
    mutating func use(_ unit: Int, at minute: Int) -> Bool {
        let isCold = position[unit] < 0
        if isCold {
            position[unit] = loaded.count
            loaded.append(unit)
            usedMB += trace.units[unit].memoryMB
        }
        lastUse[unit] = Int32(minute)
        nextIndex[unit] += 1
        frequency[unit] += 1
        priority[unit] = clock + frequency[unit] / trace.units[unit].memoryMB
        return isCold
    }

    /// Evicts idle units, the least valuable first, until memory is within `budget` or all are active.
    mutating func shrink(to budget: Double, at minute: Int) {
        guard usedMB > budget else { return }
        var idle: [(value: Double, tie: Int32, unit: Int)] = []
        for unit in loaded where lastUse[unit] != Int32(minute) {
            idle.append((value(of: unit, at: minute), lastUse[unit], unit))
        }
        idle.sort { ($0.value, $0.tie, $0.unit) < ($1.value, $1.tie, $1.unit) }
        for victim in idle {
            guard usedMB > budget else { return }
            evict(victim.unit)
        }
    }

    private func value(of unit: Int, at minute: Int) -> Double {
        switch rule {
        case .lru: return Double(lastUse[unit])
        case .lfu: return frequency[unit]
        case .greedyDual: return priority[unit]
        case .belady:
            let active = trace.units[unit].active
            let next = Int(nextIndex[unit])
            // Never used again: as good as evicted.
            guard next < active.count else { return -Double.infinity }
            return -Double(Int(active[next]) - minute) * trace.units[unit].memoryMB
        }
    }

    private mutating func evict(_ unit: Int) {
        let slot = position[unit]
        let moved = loaded[loaded.count - 1]
        loaded[slot] = moved
        position[moved] = slot
        loaded.removeLast()
        position[unit] = -1
        usedMB -= trace.units[unit].memoryMB
        clock = max(clock, priority[unit])
        frequency[unit] = 0
        stretch[unit] = 0
    }
}
