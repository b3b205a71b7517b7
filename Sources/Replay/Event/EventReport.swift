import WarmPool

/// One line of an event replay's table.
package struct EventRow: Sendable, Codable, Equatable {
    package var policy: String
    package var budgetMB: Double
    /// `budgetMB` by the most that ever is in use when nothing is evicted.
    package var budgetShare: Double
    package var invocations: Int
    package var cold: Int
    package var bare: Int
    package var runtime: Int
    package var prefetched: Int
    package var warm: Int
    package var rejected: Int
    package var queued: Int
    /// Served requests that found no ready sandbox (cold, bare or runtime), in percent.
    package var missPct: Double
    package var startMsMean: Double
    package var startMsP50: Double
    package var startMsP95: Double
    package var startMsP99: Double
    package var created: Int
    package var evicted: Int
    package var heldGBHours: Double
    package var idleGBHours: Double
    package var peakMB: Double
    package var prefetchHits: Int
    package var prefetchLate: Int
    package var prefetchWasted: Int

    enum CodingKeys: String, CodingKey {
        case policy, invocations, cold, bare, runtime, prefetched, warm, rejected, queued, created, evicted
        case budgetMB = "budget_mb"
        case budgetShare = "budget_share"
        case missPct = "miss_pct"
        case startMsMean = "start_ms_mean"
        case startMsP50 = "start_ms_p50"
        case startMsP95 = "start_ms_p95"
        case startMsP99 = "start_ms_p99"
        case heldGBHours = "held_gb_hours"
        case idleGBHours = "idle_gb_hours"
        case peakMB = "peak_mb"
        case prefetchHits = "prefetch_hits"
        case prefetchLate = "prefetch_late"
        case prefetchWasted = "prefetch_wasted"
    }

    package init(_ outcome: EventOutcome, neededMB: Double) {
        policy = outcome.policy
        budgetMB = outcome.budgetMB
        budgetShare = outcome.budgetMB / max(neededMB, 1e-9)
        invocations = outcome.latency.count + outcome.rejected
        cold = outcome.starts[Int(StartKind.cold.rawValue)]
        bare = outcome.starts[Int(StartKind.bare.rawValue)]
        runtime = outcome.starts[Int(StartKind.runtime.rawValue)]
        prefetched = outcome.starts[Int(StartKind.prefetched.rawValue)]
        warm = outcome.starts[Int(StartKind.warm.rawValue)]
        rejected = outcome.rejected
        queued = outcome.queued
        missPct = 100 * Double(cold + bare + runtime) / Double(max(1, outcome.latency.count))
        startMsMean = outcome.latency.mean / 1000
        startMsP50 = outcome.latency.quantile(0.5) / 1000
        startMsP95 = outcome.latency.quantile(0.95) / 1000
        startMsP99 = outcome.latency.quantile(0.99) / 1000
        created = outcome.created
        evicted = outcome.evicted
        heldGBHours = outcome.heldMBus / 1024 / 3600e6
        idleGBHours = outcome.idleMBus / 1024 / 3600e6
        peakMB = outcome.peakMB
        prefetchHits = outcome.prefetchHits
        prefetchLate = outcome.prefetchLate
        prefetchWasted = outcome.prefetchWasted
    }
}

/// The results of an event replay.
package struct EventReport: Sendable, Encodable {
    package var trace: String
    package var units: Int
    package var neededMB: Double
    package var seed: UInt64
    package var costs: NodeCosts
    package var rows: [EventRow]
    package var advice: [String]
    package var seconds: Double

    enum CodingKeys: String, CodingKey {
        case trace, units, seed, costs, rows, advice, seconds
        case neededMB = "needed_mb"
    }

    package func text() -> [String] {
        var table = TextTable(header: [
            "policy", "budget MB", "of need", "miss %", "cold", "bare", "runtime", "prefetched", "warm", "queued",
            "rejected", "start p50 ms", "p95 ms", "p99 ms", "mean ms", "created", "idle GB h",
        ])
        for row in rows {
            table.add([
                row.policy, Format.fixed(row.budgetMB, 0), Format.fixed(100 * row.budgetShare, 0) + " %",
                Format.fixed(row.missPct, 2), String(row.cold), String(row.bare), String(row.runtime),
                String(row.prefetched), String(row.warm), String(row.queued), String(row.rejected),
                Format.fixed(row.startMsP50, 2), Format.fixed(row.startMsP95, 1), Format.fixed(row.startMsP99, 1),
                Format.fixed(row.startMsMean, 2), String(row.created), Format.fixed(row.idleGBHours, 1),
            ])
        }
        let head =
            "\(trace): \(units) units, \(rows.first?.invocations ?? 0) requests, \(Format.fixed(neededMB, 0)) MB needed"
        return [head, ""] + table.lines() + (advice.isEmpty ? [] : [""] + advice)
    }
}
