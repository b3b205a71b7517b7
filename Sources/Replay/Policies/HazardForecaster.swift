import Glibc

/// The simplest forecast worth having: how often units that had been idle for k minutes were active in the next, from
/// the unit's own past, shrunk to all units' (empirical Bayes). A yardstick for the agent's own models.
package struct HazardForecaster: MinuteForecaster {
    private var unitCells: [Cell]
    private var globalCells: [Cell]
    private var idle: [Int32]
    private var isActive: [Bool]

    private struct Cell {
        var trials: Float = 0
        var hits: Float = 0

        mutating func learn(_ hit: Bool, cap: Float) {
            trials += 1
            if hit { hits += 1 }
            // Forgetting: at the cap both counts shrink, so the latest cap-or-so minutes carry the weight.
            if trials >= cap {
                trials *= 1 - 1 / cap
                hits *= 1 - 1 / cap
            }
        }
    }

    private static let bins = 48
    private static let unitCap: Float = 60
    private static let globalCap: Float = 2000

    package init(units: Int) {
        unitCells = [Cell](repeating: Cell(), count: units * Self.bins)
        globalCells = [Cell](repeating: Cell(), count: Self.bins)
        idle = [Int32](repeating: -1, count: units)
        isActive = [Bool](repeating: false, count: units)
    }

    package mutating func step(
        minute: Int, active: ArraySlice<Int32>, calls: ArraySlice<UserCall>, logOdds: inout [Float]
    ) {
        for unit in active { isActive[Int(unit)] = true }
        for unit in idle.indices {
            let hit = isActive[unit]
            isActive[unit] = false
            if idle[unit] >= 0 {
                let bin = Self.bin(idle[unit])
                unitCells[unit * Self.bins + bin].learn(hit, cap: Self.unitCap)
                globalCells[bin].learn(hit, cap: Self.globalCap)
            } else if !hit {
                continue
            }
            idle[unit] = hit ? 0 : idle[unit] + 1
            logOdds[unit] = LogOdds.of(probability(unit))
        }
    }

    private func probability(_ unit: Int) -> Double {
        let bin = Self.bin(idle[unit])
        let global = globalCells[bin]
        let parent = (global.hits + 4 * 0.05) / (global.trials + 4)
        let own = unitCells[unit * Self.bins + bin]
        return min(max(Double((own.hits + 1.5 * parent) / (own.trials + 1.5)), 2e-5), 1 - 1e-4)
    }

    /// Idle minutes to 6 one by one, then four bins an octave.
    private static func bin(_ idle: Int32) -> Int {
        guard idle > 6 else { return Int(idle) }
        return min(bins - 1, 7 + Int(4 * log2(Double(idle) / 7)))
    }
}
