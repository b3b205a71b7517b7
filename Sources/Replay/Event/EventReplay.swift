package import Forecast

/// Runs policies over a trace with service times, memory, queueing and start costs.
package struct EventReplay {
    package let trace: EventTrace
    package let costs: NodeCosts
    /// Memory in use at the worst moment when nothing is ever evicted: a budget of 100 %.
    package let neededMB: Double

    private let start: OccurrenceModel

    /// `start` is what the agent's model knows before the trace begins.
    package init(_ trace: EventTrace, costs: NodeCosts, start: OccurrenceModel = OccurrenceModel()) {
        self.trace = trace
        self.start = start
        self.costs = costs
        neededMB =
            KeepAliveSimulator.run(
                trace, .evict(.lru), costs: costs, budgetMB: .infinity, policy: ""
            ).peakMB
    }

    package func megabytes(_ size: PolicySpec.Size) -> Double {
        switch size {
        case .megabytes(let value): value
        case .shareOfNeed(let share): share * neededMB
        }
    }

    package func row(_ outcome: EventOutcome) -> EventRow { EventRow(outcome, neededMB: neededMB) }

    /// Runs `spec` with `budgetMB`; policies that bring a size of their own use that.
    package func run(_ spec: PolicySpec, budgetMB: Double) throws(ReplayError) -> EventOutcome {
        switch spec.kind {
        case .eviction(let rule, _):
            return simulate(.evict(rule), budgetMB, spec.text)
        case .fixed(let minutes):
            return simulate(.fixed(keepUs: Int64(minutes) * 60_000_000), budgetMB, spec.text)
        case .forever: return simulate(.evict(.lru), neededMB, spec.text)
        case .forecast(let model, false, nil): return try agent(spec.text, budgetMB, feed(model))
        case .pool: return try agent(spec.text, budgetMB, nil)
        default:
            throw .badPolicy(
                text: spec.text,
                reason:
                    "it has no event replay; use hearth, hazard, pool, lru, lfu, greedy-dual, belady, fixed or forever")
        }
    }

    /// The agent's pool; no policy of the replay stands between it and the trace.
    private func agent(_ name: String, _ budgetMB: Double, _ forecast: MinuteFeed?) throws(ReplayError) -> EventOutcome
    {
        let pool = try HearthPool(budgetMB: budgetMB, costs: costs)
        return try PoolWorld.run(
            trace, pool, forecast: forecast, costs: costs, budgetMB: budgetMB, policy: name)
    }

    private func feed(_ model: PolicySpec.Model) -> MinuteFeed {
        let units = trace.units.count
        switch model {
        case .hazard: return MinuteFeed(units: units, HazardForecaster(units: units))
        case .hearth:
            return MinuteFeed(
                units: units, HearthForecaster(units: units, originMinute: trace.originMinute, model: start))
        }
    }

    private func simulate(_ rule: KeepAliveSimulator.Rule, _ budgetMB: Double, _ name: String) -> EventOutcome {
        KeepAliveSimulator.run(trace, rule, costs: costs, budgetMB: budgetMB, policy: name)
    }
}
