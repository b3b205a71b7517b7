import WarmPool
import Wire

/// The pool's figures in `StatsResponse`: its tiers, and gauges by name.
extension Agent {
    func fillPool(_ response: inout HearthStatsResponse) {
        let snapshot = pool.policy.snapshot()
        response.tiers = [Tier.bare, .runtime, .ready].compactMap { tier in
            let figures = snapshot.tiers[Int(tier.rawValue)]
            guard figures.sandboxes > 0 else { return nil }
            var count = HearthTierCount()
            count.tier = tier.wire
            count.sandboxes = UInt64(figures.sandboxes)
            count.memoryBytes = UInt64(max(0, figures.charged))
            return count
        }
        response.memory.budgetBytes = UInt64(snapshot.memoryBudget)
        response.memory.usedBytes = UInt64(max(0, snapshot.charged))
        for index in response.functions.indices {
            guard let id = pool.identifiers[response.functions[index].function], let state = pool.policy.function(id)
            else { continue }
            response.functions[index].inFlight = UInt64(state.running)
            response.functions[index].queued = UInt64(state.queued)
        }
        response.gauges = Self.gauges(snapshot, target: pool.policy.configuration.threshold.target).map { name, value in
            var gauge = HearthGauge()
            gauge.name = name
            gauge.value = value
            return gauge
        }
    }

    /// Names end in their unit; counts have none. docs/configuration.md lists them.
    private static func gauges(_ pool: PoolSnapshot, target: Nanoseconds) -> [(String, Double)] {
        var gauges: [(String, Double)] = [
            ("pool.budget_used_ratio", Double(pool.charged) / Double(max(pool.memoryBudget, 1))),
            ("pool.ending_bytes", Double(pool.evicting)),
            ("pool.reserved_bytes", Double(pool.reserved)),
            ("pool.queued", Double(pool.queued)),
            ("pool.running", Double(pool.running)),
            ("pool.running_cpus", Double(pool.milliCPU) / 1000),
            ("pool.idle", Double(pool.idle)),
            ("pool.live_starts", Double(pool.liveStarts)),
            ("pool.background_starts", Double(pool.backgroundStarts)),
            ("pool.created", Double(pool.counters.created)),
            ("pool.promoted", Double(pool.counters.promoted)),
            ("pool.evicted", Double(pool.counters.evicted.reduce(0, +))),
            ("pool.rejected", Double(pool.counters.rejected)),
            ("pool.memory_pressure", Double(pool.pressure.rawValue)),
            ("pool.plan_generation", Double(pool.planGeneration)),
            ("threshold.confidence", pool.threshold),
            ("threshold.start_wait_p95_ms", pool.startLatencyP95.inMilliseconds),
            ("threshold.target_ms", target.inMilliseconds),
            ("threshold.moves", Double(pool.thresholdMoves)),
            ("ledger.idle_mb_s", pool.ledger.idleMegabyteSeconds),
        ]
        gauges += entry("ledger", pool.ledger.total)
        for source in DemandSource.allCases where pool.ledger[source].started > 0 {
            gauges += entry("ledger.\(source)", pool.ledger[source])
        }
        return gauges
    }

    private static func entry(_ prefix: String, _ entry: PrefetchLedger.Entry) -> [(String, Double)] {
        [
            ("\(prefix).started", Double(entry.started)),
            ("\(prefix).hit", Double(entry.hits)),
            ("\(prefix).late", Double(entry.late)),
            ("\(prefix).wasted", Double(entry.wasted)),
            ("\(prefix).void", Double(entry.void)),
            ("\(prefix).lead_mean_ms", entry.hits > 0 ? entry.lead.inMilliseconds / Double(entry.hits) : 0),
            ("\(prefix).hit_mb_s", entry.hitMegabyteSeconds),
            ("\(prefix).wasted_mb_s", entry.wastedMegabyteSeconds),
        ]
    }
}

extension Tier {
    var wire: HearthTier {
        switch self {
        case .none: .unspecified
        case .bare: .bare
        case .runtime: .runtime
        case .ready: .ready
        }
    }
}
