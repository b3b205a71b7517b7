/// Runs policies over a trace with the papers' semantics: a unit is cold at an active minute if it is not loaded, at
/// most once a minute, the first time always; service times are ignored; waste is time loaded without activity.
package struct MinuteReplay {
    package let trace: MinuteTrace
    /// The waste of fixed-10: what ratios are relative to.
    package let reference: Int
    private var tapes: [PolicySpec.Model: ForecastTape] = [:]
    private let makeTape: (MinuteTrace, PolicySpec.Model) throws(ReplayError) -> ForecastTape

    /// `makeTape` runs a model over the trace; it is called at most once a model.
    package init(
        _ trace: MinuteTrace,
        makeTape: @escaping (MinuteTrace, PolicySpec.Model) throws(ReplayError) -> ForecastTape
    ) {
        self.trace = trace
        self.makeTape = makeTape
        reference =
            IdleWindowReplay.run(trace, policy: "fixed", knob: "") { FixedKeepAlive(minutes: 10) }.waste
    }

    package func row(_ outcome: PolicyOutcome) -> PolicyRow {
        PolicyRow(outcome, trace: trace, reference: reference)
    }

    /// The forecasts of a model over the trace, run on first use.
    package mutating func tape(_ model: PolicySpec.Model) throws(ReplayError) -> ForecastTape {
        if let known = tapes[model] { return known }
        let fresh = try makeTape(trace, model)
        tapes[model] = fresh
        return fresh
    }

    package mutating func run(_ spec: PolicySpec) throws(ReplayError) -> PolicyOutcome {
        let name = spec.text
        let budget = spec.wasteRatio.map { Int(($0 * Double(reference)).rounded(.down)) }
        switch spec.kind {
        case .fixed(let minutes):
            return fixed(name, budget.map { fixedMinutes(within: $0) } ?? minutes)
        case .forever:
            return IdleWindowReplay.run(trace, policy: name, knob: "") { FixedKeepAlive(minutes: nil) }
        case .hybrid(let range, let arima):
            return IdleWindowReplay.run(trace, policy: name, knob: "range \(range) min") {
                HybridHistogram(rangeMinutes: range, outOfBounds: arima ? .arima : .mean)
            }
        case .spes: return IdleWindowReplay.run(trace, policy: name, knob: "") { SPES() }
        case .layered(let quantile):
            return IdleWindowReplay.run(trace, policy: name, knob: "quantile \(Format.short(quantile))") {
                LayeredTTL(quantile: quantile)
            }
        case .eviction(let rule, let size): return try eviction(name, rule, size, budget: budget)
        case .clairvoyantKeep: return ClairvoyantKeepAlive.run(trace, policy: name, budget: budget ?? reference)
        case .clairvoyantPrewarm(let knows): return ClairvoyantPrewarm.run(trace, knowsFirstUse: knows)
        case .forecast(let model, let charged, let lambda):
            return try forecast(name, model, charged: charged, lambda: lambda, wasteRatio: spec.wasteRatio)
        case .closedLoop(let model, let goal): return try closedLoop(name, model, goal)
        case .pool: throw .badPolicy(text: name, reason: "it has no minute replay; use --mode event")
        }
    }

    private func fixed(_ name: String, _ minutes: Int) -> PolicyOutcome {
        IdleWindowReplay.run(trace, policy: name, knob: "\(minutes) min") { FixedKeepAlive(minutes: minutes) }
    }

    private func fixedMinutes(within budget: Int) -> Int {
        // The search wants waste to fall with the knob: search the minutes left out of the horizon.
        let horizon = trace.minutes
        let left = PriceSearch.highestWaste(within: budget, knob: 0...horizon) { fixed("", horizon - $0).waste }
        return horizon - left
    }

    private func eviction(
        _ name: String, _ rule: EvictionRule, _ size: PolicySpec.Size?, budget: Int?
    ) throws(ReplayError) -> PolicyOutcome {
        var megabytes = 0.0
        switch size {
        case .megabytes(let value)?: megabytes = value
        case .shareOfNeed(let share)?: megabytes = share * trace.neededMB
        case nil where budget == nil:
            throw .badPolicy(text: name, reason: "it needs a memory size: \(name):30% or \(name)@1")
        case nil: break
        }
        if let budget {
            let steps = 1000
            let left = PriceSearch.highestWaste(within: budget, knob: 0...steps) { step in
                let size = trace.neededMB * Double(steps - step) / Double(steps)
                return EvictionReplay.run(trace, rule, budgetMB: size, policy: name).waste
            }
            megabytes = trace.neededMB * Double(steps - left) / Double(steps)
        }
        return EvictionReplay.run(trace, rule, budgetMB: megabytes, policy: name)
    }

    private mutating func forecast(
        _ name: String, _ model: PolicySpec.Model, charged: Bool, lambda: Double?, wasteRatio: Double?
    ) throws(ReplayError) -> PolicyOutcome {
        let tape = try tape(model)
        guard let lambda else {
            return PriceSearch.atWaste(
                wasteRatio ?? 1, reference: reference, trace: trace, tape: tape, policy: name, charged: charged)
        }
        var rule = ConstantPrice(lambda: lambda, freshFactor: charged ? PriceSearch.chargedFreshFactor : 1)
        return ForecastReplay.run(trace, tape, policy: name, knob: "lambda = \(Format.short(lambda))", &rule)
    }

    private mutating func closedLoop(
        _ name: String, _ model: PolicySpec.Model, _ goal: PolicySpec.Goal
    ) throws(ReplayError) -> PolicyOutcome {
        let tape = try tape(model)
        let target: ClosedLoopPrice.Target
        let knob: String
        switch goal {
        case .wasteRatio(let ratio):
            target = .wasteRatio(ratio)
            knob = "holds waste at \(Format.short(ratio))"
        case .memoryMB(let megabytes):
            let mean = trace.neededMB / Double(max(1, trace.units.count))
            target = .idleLoaded(megabytes / mean)
            knob = "holds \(Format.fixed(megabytes, 0)) MB idle"
        case .coldShare(let share):
            target = .coldShare(share)
            knob = "holds cold at \(Format.short(100 * share)) %"
        }
        var rule = ClosedLoopPrice(target, trace: trace)
        return ForecastReplay.run(trace, tape, policy: name, knob: knob, wantsSummaries: true, &rule)
    }
}
