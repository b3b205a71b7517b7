/// Replays a forecast under a price: in these semantics loading is free, so every unit-minute stands alone, and a unit
/// is loaded exactly if its odds of being active exceed lambda.
package enum ForecastReplay {
    package static func run(
        _ trace: MinuteTrace, _ tape: ForecastTape, policy: String, knob: String, wantsSummaries: Bool = false,
        _ rule: inout some PriceRule
    ) -> PolicyOutcome {
        var outcome = PolicyOutcome(policy: policy, knob: knob, trace: trace)
        var state = UnitStates(count: trace.units.count)
        var summary = MinuteSummary(
            minute: 0, active: 0, cold: 0, idleLoaded: 0, idleLoadedMB: 0, loads: 0, idleForecasts: .init(),
            activeForecasts: .init())
        var lastPrice = Int.min
        for minute in 0..<trace.minutes {
            let price = rule.price(minute: minute)
            if price.keep != lastPrice && (minute % 5 == 0 || lastPrice == Int.min) {
                lastPrice = price.keep
                outcome.prices.append(.init(minute: minute, lambda: ForecastTape.lambda(price.keep)))
            }
            if wantsSummaries {
                summary.idleForecasts.clear()
                summary.activeForecasts.clear()
            }
            step(trace, tape, minute, price, &state, &outcome, &summary, wantsSummaries)
            rule.observe(summary)
        }
        for unit in trace.units.indices { outcome.tallies[unit].unusedWaste += Int(state.stretch[unit]) }
        return outcome
    }

    private struct UnitStates {
        /// Loaded (or active) in the minute before.
        var present: [Bool]
        /// Idle minutes of the stretch the unit is loaded for.
        var stretch: [Int32]
        var active: [Bool]

        init(count: Int) {
            present = [Bool](repeating: false, count: count)
            active = present
            stretch = [Int32](repeating: 0, count: count)
        }
    }

    private static func step(
        _ trace: MinuteTrace, _ tape: ForecastTape, _ minute: Int, _ price: (keep: Int, load: Int),
        _ state: inout UnitStates, _ outcome: inout PolicyOutcome, _ summary: inout MinuteSummary,
        _ wantsSummaries: Bool
    ) {
        let base = minute * tape.units
        let active = trace.activeUnits[trace.minuteStart[minute]..<trace.minuteStart[minute + 1]]
        for unit in active { state.active[Int(unit)] = true }
        summary.minute = minute
        summary.active = active.count
        summary.cold = 0
        summary.loads = 0
        summary.idleLoaded = 0
        summary.idleLoadedMB = 0
        for unit in 0..<tape.units {
            let forecast = tape.steps[base + unit]
            let wasPresent = state.present[unit]
            let isActive = state.active[unit]
            let loaded = Int(forecast) > (wasPresent ? price.keep : price.load) && forecast != ForecastTape.unknown
            if wantsSummaries && forecast != ForecastTape.unknown {
                if isActive {
                    summary.activeForecasts.add(forecast, 1)
                } else {
                    summary.idleForecasts.add(forecast, 1)
                }
            } else if wantsSummaries && isActive {
                summary.activeForecasts.add(forecast, 1)
            }
            guard loaded || isActive || wasPresent else { continue }
            if isActive {
                if !loaded {
                    outcome.tallies[unit].cold += 1
                    outcome.tallies[unit].unusedWaste += Int(state.stretch[unit])
                    summary.cold += 1
                    summary.loads += 1
                } else if !wasPresent {
                    outcome.tallies[unit].prewarms += 1
                    outcome.tallies[unit].lateLoads += 1
                    summary.loads += 1
                }
                state.stretch[unit] = 0
                state.active[unit] = false
            } else if loaded {
                if !wasPresent {
                    outcome.tallies[unit].prewarms += 1
                    summary.loads += 1
                }
                outcome.tallies[unit].waste += 1
                state.stretch[unit] += 1
                summary.idleLoaded += 1
                summary.idleLoadedMB += trace.units[unit].memoryMB
            } else {
                outcome.tallies[unit].unusedWaste += Int(state.stretch[unit])
                state.stretch[unit] = 0
            }
            state.present[unit] = loaded || isActive
        }
        outcome.wasteByHour[minute / 60] += summary.idleLoaded
    }
}
