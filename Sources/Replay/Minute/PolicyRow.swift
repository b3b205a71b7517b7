/// One line of the result table: a policy on a trace.
package struct PolicyRow: Sendable, Codable, Equatable {
    package var policy: String
    package var knob: String
    package var cold: Int
    /// Cold starts that are a unit's first activity: only a plan or a shipped prior removes those.
    package var firstCold: Int
    package var loads: Int
    package var lateLoads: Int
    package var invocations: Int
    package var activeMinutes: Int
    package var wasteMinutes: Int
    package var unusedWasteMinutes: Int
    /// `wasteMinutes` relative to fixed-10 on the same trace.
    package var wasteRatio: Double
    /// The same with one minute added for every load.
    package var chargedRatio: Double
    package var wasteGBHours: Double
    package var coldPctP50: Double
    package var coldPctP75: Double
    package var coldPctP90: Double
    /// The 75th percentile among units with at least ten active minutes.
    package var coldPctP75Busy: Double
    /// Cold starts per hundred active minutes.
    package var coldPctActive: Double
    /// FeMux's representative unified metric: 0.808 x cold + wasted GB s / 99.69.
    package var rum: Double

    enum CodingKeys: String, CodingKey {
        case policy, knob, cold, loads, invocations, rum
        case firstCold = "first_cold"
        case lateLoads = "late_loads"
        case activeMinutes = "active_minutes"
        case wasteMinutes = "waste_minutes"
        case unusedWasteMinutes = "unused_waste_minutes"
        case wasteRatio = "waste_ratio"
        case chargedRatio = "charged_ratio"
        case wasteGBHours = "waste_gb_hours"
        case coldPctP50 = "cold_pct_p50"
        case coldPctP75 = "cold_pct_p75"
        case coldPctP90 = "cold_pct_p90"
        case coldPctP75Busy = "cold_pct_p75_busy"
        case coldPctActive = "cold_pct_active"
    }

    /// Cold starts a policy could have removed.
    package var removable: Int { cold - firstCold }

    /// Sums `outcome` up. `reference` is the waste of fixed-10 on the same trace, in minutes.
    package init(_ outcome: PolicyOutcome, trace: MinuteTrace, reference: Int) {
        policy = outcome.policy
        knob = outcome.knob
        cold = outcome.cold
        loads = outcome.loads
        lateLoads = outcome.lateLoads
        activeMinutes = trace.activeMinuteCount
        invocations = trace.units.reduce(0) { $0 + $1.invocations }
        wasteMinutes = outcome.waste
        unusedWasteMinutes = outcome.unusedWaste
        wasteRatio = Double(outcome.waste) / Double(max(1, reference))
        chargedRatio = Double(outcome.waste + outcome.loads) / Double(max(1, reference))
        // The first activity of a unit is always cold but for the clairvoyant that may prewarm it.
        firstCold = outcome.policy == ClairvoyantPrewarm.name ? 0 : trace.units.count
        var wasteMB = 0.0
        var percents: [Double] = []
        var busy: [Double] = []
        for (unit, tally) in zip(trace.units, outcome.tallies) {
            wasteMB += Double(tally.waste) * unit.memoryMB
            let percent = 100 * Double(tally.cold) / Double(max(1, unit.invocations))
            percents.append(percent)
            if unit.active.count >= 10 { busy.append(percent) }
        }
        wasteGBHours = wasteMB / 1024 / 60
        coldPctP50 = Percentile.linear(percents, 0.5)
        coldPctP75 = Percentile.linear(percents, 0.75)
        coldPctP90 = Percentile.linear(percents, 0.9)
        coldPctP75Busy = Percentile.linear(busy, 0.75)
        coldPctActive = 100 * Double(outcome.cold) / Double(max(1, activeMinutes))
        rum = 0.808 * Double(cold) + wasteMB / 1024 * 60 / 99.69
    }
}

/// Percentiles with linear interpolation between the two nearest ranks, as numpy's default.
package enum Percentile {
    /// The value at `quantile` (0...1); 0 of no values.
    package static func linear(_ values: [Double], _ quantile: Double) -> Double {
        sorted(values.sorted(), quantile)
    }

    /// The same of values that are sorted already.
    package static func sorted(_ values: [Double], _ quantile: Double) -> Double {
        guard let last = values.last else { return 0 }
        let position = quantile * Double(values.count - 1)
        let low = Int(position)
        guard low + 1 < values.count else { return last }
        return values[low] + (values[low + 1] - values[low]) * (position - Double(low))
    }
}
