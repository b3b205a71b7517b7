import HearthClient
import Wire

/// What an agent counts, as metrics: `hearth stats --prometheus`.
struct Metrics {
    let stats: HearthStatsResponse
    let latency: [HearthLatencySeries]

    func exposition() -> String {
        var out = Exposition()
        out.gauge("hearth_uptime_seconds", "Time since the agent's start.", Double(stats.uptimeNs) / 1e9)
        memory(&out)
        functions(&out)
        tiers(&out)
        pool(&out)
        latencies(&out)
        return out.text
    }

    private func memory(_ out: inout Exposition) {
        let memory = stats.memory
        out.gauge("hearth_memory_budget_bytes", "Memory that sandboxes may have together.", Double(memory.budgetBytes))
        out.gauge("hearth_memory_used_bytes", "What of the budget is charged.", Double(memory.usedBytes))
        out.gauge("hearth_memory_available_bytes", "MemAvailable of the node.", Double(memory.availableBytes))
        out.gauge(
            "hearth_agent_resident_bytes", "Resident memory of the agent itself.", Double(memory.agentResidentBytes))
    }

    private func functions(_ out: inout Exposition) {
        func label(_ entry: HearthFunctionStats) -> Exposition.Labels { [("function", entry.function)] }
        out.family(
            "hearth_invocations_total", .counter, "Invocations by how they ended.",
            stats.functions.flatMap { entry in
                entry.outcomes.map { (label(entry) + [("outcome", Words.outcome($0.outcome))], Double($0.count)) }
            })
        out.family(
            "hearth_starts_total", .counter, "Invocations by what they found.",
            stats.functions.flatMap { entry in
                entry.starts.map { (label(entry) + [("start", Words.start($0.startKind))], Double($0.count)) }
            })
        out.family(
            "hearth_in_flight", .gauge, "Invocations that run.",
            stats.functions.map { (label($0), Double($0.inFlight)) })
        out.family(
            "hearth_queued", .gauge, "Invocations that wait.", stats.functions.map { (label($0), Double($0.queued)) })
        out.family(
            "hearth_run_seconds_total", .counter, "Time that functions ran.",
            stats.functions.map { (label($0), Double($0.runNs) / 1e9) })
        out.family(
            "hearth_start_wait_seconds_total", .counter, "Time that invocations waited for their sandboxes.",
            stats.functions.map { (label($0), Double($0.startNs) / 1e9) })
    }

    private func tiers(_ out: inout Exposition) {
        func label(_ entry: HearthTierCount) -> Exposition.Labels { [("tier", Words.tier(entry.tier))] }
        out.family(
            "hearth_sandboxes", .gauge, "Sandboxes by tier.", stats.tiers.map { (label($0), Double($0.sandboxes)) })
        out.family(
            "hearth_sandbox_memory_bytes", .gauge, "What the sandboxes of a tier are charged.",
            stats.tiers.map { (label($0), Double($0.memoryBytes)) })
    }

    /// Gauges that only grow: counters, which a restart sets to nothing.
    private static let counted: Set<String> = [
        "pool.created", "pool.promoted", "pool.evicted", "pool.rejected", "threshold.moves", "prediction.observed",
        "prediction.dropped", "prediction.thinned",
    ]

    /// The pool's figures by the names that the agent gives them, and the ledger of prefetches by who asked and what became of them.
    private func pool(_ out: inout Exposition) {
        var prefetches: [(Exposition.Labels, Double)] = []
        var forecasts: [(Exposition.Labels, Double)] = []
        for gauge in stats.gauges {
            let parts = gauge.name.split(separator: ".").map(String.init)
            switch (parts.first, parts.count) {
            case ("ledger", 3) where Self.results.contains(parts[2]):
                prefetches.append(([("source", parts[1]), ("result", parts[2])], gauge.value))
            case ("prediction", 3):
                forecasts.append(([("source", parts[1]), ("result", parts[2])], gauge.value))
            // Their sums, and means over the sources, a query makes itself.
            case ("ledger", _) where parts.last != "idle_mb_s": continue
            default:
                let isCounter = Self.counted.contains(gauge.name) || parts.last == "idle_mb_s"
                out.family(
                    Exposition.name(gauge.name) + (isCounter ? "_total" : ""), isCounter ? .counter : .gauge,
                    "The agent's figure \(gauge.name).", [([], gauge.value)])
            }
        }
        out.family(
            "hearth_prefetches_total", .counter, "Prefetches by who asked and what became of them.", prefetches)
        out.family(
            "hearth_predictions_total", .counter, "Prefetches on predictions by the model that spoke most for them.",
            forecasts)
    }

    private static let results: Set<String> = ["started", "hit", "late", "wasted", "void"]

    /// Seconds; the start of a warm sandbox to that of a slow runtime.
    private static let bounds: [Double] = [
        0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60,
    ]

    /// Latencies of all functions together: by function they would be thousands of series, which `hearth latency` has.
    private func latencies(_ out: inout Exposition) {
        var merged: [String: (labels: Exposition.Labels, histogram: HearthHistogram)] = [:]
        for series in latency {
            let (start, phase) = (Words.start(series.startKind), Words.phase(series.phase))
            var entry = merged[start + " " + phase] ?? ([("start", start), ("phase", phase)], HearthHistogram())
            entry.histogram.merge(series.histogram)
            merged[start + " " + phase] = entry
        }
        out.histograms(
            "hearth_latency_seconds", "Phases of invocations by what they found: queued, sandbox, init, run, total.",
            merged.sorted { $0.key < $1.key }.map { Self.cumulative($0.value.histogram, $0.value.labels) })
    }

    /// A value counts below a bound if all that its bucket may hold is: never lower than it was.
    private static func cumulative(
        _ histogram: HearthHistogram, _ labels: Exposition.Labels
    ) -> Exposition.Histogram {
        let cells = histogram.cells
        let counts = bounds.map { bound -> (bound: Double, count: UInt64) in
            let count = cells.reduce(UInt64(0)) { sum, cell in
                let highest = histogram.layout?.highestValue(at: cell.index) ?? .max
                return Double(highest) / 1e9 <= bound ? sum + cell.count : sum
            }
            return (bound, count)
        }
        return Exposition.Histogram(
            labels: labels, cumulative: counts, total: histogram.total, sum: Double(histogram.sumNs) / 1e9)
    }
}
