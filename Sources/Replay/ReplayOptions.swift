/// What `hearth replay` was asked to do; the command line only fills this in.
package struct ReplayOptions: Sendable {
    package enum Mode: String, Sendable, CaseIterable {
        /// The papers' minute semantics: comparable with published numbers.
        case minute
        /// Service times, queueing, memory and start costs, on the agent's own pool.
        case event
    }

    package var traces: [String]
    package var mode: Mode
    package var policies: [PolicySpec]
    package var granularity = Granularity.function
    /// One JSON document on stdout in place of the tables.
    package var json = false
    /// Where to write the HTML report.
    package var report: String?
    /// Finds what each source of the agent's forecasts brought, at the cost of a forecast run a source. A report does anyway.
    package var sources = false
    /// Replays this many units drawn from the trace.
    package var resample: Int?
    package var seed: UInt64 = 20240
    /// A prior for the agent's models, as `trainPrior` wrote it.
    package var prior: String?
    /// Learns a prior from the trace and writes it here instead of replaying.
    package var trainPrior: String?
    /// A JSON file of start costs (see `NodeCosts`); the defaults are those of a small node.
    package var costs: String?
    /// Memory budgets of an event replay.
    package var budgets: [PolicySpec.Size] = [.shareOfNeed(0.2), .shareOfNeed(0.3), .shareOfNeed(0.5)]
    /// Finds the smallest memory budget that meets a target.
    package var sizing: SizingTarget?

    package static let defaultPolicies = """
        hearth@0.65,hearth@1,hearth-charged@1,hearth-budget:1,hybrid:1h,hybrid:4h,hybrid-arima:4h,spes,layered,fixed:10,\
        fixed:60,greedy-dual@1,lru@1,forever,clairvoyant-keep,clairvoyant-prewarm-known
        """

    package static let defaultEventPolicies = "hearth,pool,greedy-dual,lru,belady"

    /// Without `policies` those that say most in `mode`.
    package init(
        traces: [String], mode: Mode = .minute, policies: [PolicySpec]? = nil
    ) throws(ReplayError) {
        self.traces = traces
        self.mode = mode
        self.policies = []
        let defaults = mode == .minute ? Self.defaultPolicies : Self.defaultEventPolicies
        self.policies = if let policies { policies } else { try PolicySpec.parse(list: defaults) }
    }
}

/// What a sizing advice must meet.
package enum SizingTarget: Sendable, Equatable {
    /// The 95th percentile of start latency, milliseconds.
    case p95Start(milliseconds: Double)
    /// Starts that found no ready sandbox, by invocation, 0...1.
    case coldShare(Double)

    /// "p95=50ms" or "cold=1%".
    package init(_ text: String) throws(ReplayError) {
        let parts = text.split(separator: "=", maxSplits: 1)
        let reason = "it must be like p95=50ms or cold=1%, not \"\(text)\""
        guard parts.count == 2 else { throw .badOption(name: "size-for", reason: reason) }
        switch parts[0] {
        case "p95":
            guard parts[1].hasSuffix("ms"), let value = Double(parts[1].dropLast(2)), value > 0 else {
                throw .badOption(name: "size-for", reason: reason)
            }
            self = .p95Start(milliseconds: value)
        case "cold":
            guard parts[1].hasSuffix("%"), let value = Double(parts[1].dropLast()), value > 0, value <= 100 else {
                throw .badOption(name: "size-for", reason: reason)
            }
            self = .coldShare(value / 100)
        default: throw .badOption(name: "size-for", reason: reason)
        }
    }
}
