import Linux
import WarmPool
import Wire

/// What people and coordinators ask of the pool: prefetches, evictions, plans.
extension PoolDriver {
    // MARK: Prefetch

    /// Sandboxes of a tier or above that the function has or is about to have.
    struct Supply {
        /// They may be claimed now; of the lower tiers also those that run.
        var there = 0
        var starting = 0
    }

    func supply(of function: FunctionRecord, at tier: Tier) -> Supply {
        guard let id = identifiers[function.name], let known = policy.function(id) else { return Supply() }
        var supply = Supply(there: known.idle, starting: known.starting)
        guard tier < .ready else { return supply }
        supply.there += known.running
        for sandbox in policy.sandboxSnapshots() where serves(sandbox, function, tier) {
            if sandbox.state == .idle, sandbox.tier >= tier { supply.there += 1 }
            if sandbox.state == .creating { supply.starting += 1 }
        }
        return supply
    }

    /// Whether a sandbox without a function is one that this function could start from, at the tier or on its way to it.
    private func serves(_ sandbox: SandboxSnapshot, _ function: FunctionRecord, _ tier: Tier) -> Bool {
        guard sandbox.function == nil, sandbox.image == image(environment.base(of: function)) else { return false }
        return tier == .bare || sandbox.runtime == environment.launch(of: function).flatMap(runtimeClass)
    }

    /// The idle ones among them, by name.
    func idleNames(of function: FunctionRecord, at tier: Tier) -> [String] {
        let id = identifiers[function.name]
        return policy.sandboxSnapshots().filter { sandbox in
            guard sandbox.state == .idle || sandbox.state == .frozen else { return false }
            return sandbox.function == id && id != nil
                || tier < .ready && sandbox.tier >= tier && serves(sandbox, function, tier)
        }.map { Self.name($0.id) }
    }

    /// Asks for `count` sandboxes; nanoseconds 0 for the pool's own TTL.
    func prefetch(_ function: FunctionRecord, count: Int, tier: Tier, ttl: Int64, confidence: Double) {
        guard let id = identifiers[function.name] else { return }
        handle(
            .prefetchRequested(id, count: count, tier: tier, ttl: Nanoseconds(ttl), confidence: confidence))
    }

    /// Whether the pool keeps sandboxes of the tier that this function (nil: any) could start from.
    func keeps(_ tier: Tier, for function: FunctionRecord?) -> Bool {
        switch tier {
        case .bare: policy.configuration.barePool > 0
        case .runtime:
            policy.configuration.runtimePool > 0 && (function.map { environment.launch(of: $0) != nil } ?? true)
        case .none, .ready: tier == .ready
        }
    }

    var threshold: Double { policy.threshold.threshold }
    var defaultPrefetchTTL: Int64 { policy.configuration.defaultPrefetchTTL.value }

    /// Why the function does not start at the moment; nil where it does.
    func startFailure(of function: FunctionRecord) -> InvocationResult? {
        guard let id = identifiers[function.name], let known = policy.function(id), known.breaker != .closed else {
            return nil
        }
        return startFailures[id]
    }

    /// As Sandbox has it.
    static func name(_ sandbox: SandboxID) -> String { "s\(sandbox.rawValue)" }

    static func number(_ name: String) -> UInt64? {
        name.hasPrefix("s") ? UInt64(name.dropFirst()) : nil
    }

    // MARK: Eviction

    struct Evicted {
        var ended = 0
        var running = 0
        /// How many of each function ended.
        var functions: [FunctionID: Int] = [:]
    }

    /// Ends what is idle of the target; what runs, and what is starting for requests, is left alone.
    func evict(_ target: EvictionTarget) -> Evicted {
        var evicted = Evicted()
        let all: [SandboxSnapshot]
        switch target {
        case .sandbox(let id): all = policy.sandbox(id).map { [$0] } ?? []
        case .function(let id): all = policy.sandboxSnapshots().filter { $0.function == id }
        case .all: all = policy.sandboxSnapshots()
        }
        let isOne = if case .sandbox = target { true } else { false }
        for sandbox in all {
            switch sandbox.state {
            case .running: evicted.running += 1
            case .idle, .frozen:
                evicted.ended += 1
                if let function = sandbox.function { evicted.functions[function, default: 0] += 1 }
            case .creating where isOne:
                evicted.ended += 1
                if let function = sandbox.function { evicted.functions[function, default: 0] += 1 }
            case .creating, .demoting, .ending: break
            }
        }
        handle(.evictRequested(target))
        return evicted
    }

    /// Starts sandboxes of a lower tier in place of those that were evicted. The code of a function has run in them, so
    /// none is taken down to a lower tier itself: a new one is as good and holds nothing.
    func replace(_ evicted: Evicted, at tier: Tier) {
        for (id, count) in evicted.functions.sorted(by: { $0.key < $1.key }) {
            let alive = policy.function(id).map { $0.idle + $0.starting + $0.running } ?? 0
            handle(
                .prefetchRequested(
                    id, count: alive + count, tier: tier, ttl: policy.configuration.defaultPrefetchTTL, confidence: 1))
        }
    }

    // MARK: Plans

    /// Puts a plan in force that was taken `age` nanoseconds ago.
    /// - Returns: functions whose reservations do not fit beside the others.
    func take(_ plan: StoredPlan, age: Int64) -> [String] {
        var entries: [PlanEntry] = []
        entries.reserveCapacity(plan.entries.count)
        for entry in plan.entries {
            guard let id = identifiers[entry.function], let shifted = entry.policyEntry(id, age: age) else { continue }
            entries.append(shifted)
        }
        var refused: [String] = []
        let listener = onRecord
        onRecord = { [functions] record in
            if case .reservationRefused(let id, _, _) = record, let name = functions[id]?.name { refused.append(name) }
            listener?(record)
        }
        handle(
            .planReceived(
                Plan(generation: plan.generation, ttl: Nanoseconds(plan.ttl - age), entries: entries)))
        onRecord = listener
        return refused
    }

    func note(of record: Record) -> PoolNote {
        let (sandbox, function) = record.subjects
        return PoolNote(
            record: record, function: function.flatMap { functions[$0]?.name } ?? "",
            sandbox: sandbox.map(Self.name) ?? "")
    }
}

extension HearthPlanEntry {
    /// As the policy takes it, its windows counted from now instead of `age` nanoseconds ago; nil where its window is over.
    func policyEntry(_ id: FunctionID, age: Int64) -> PlanEntry? {
        let start = Int64(clamping: windowStartNs)
        let end = Int64(clamping: windowEndNs)
        guard end == 0 || end <= start || end > age else { return nil }
        return PlanEntry(
            function: id, confidence: confidence, windowStart: Nanoseconds(max(0, start - age)),
            windowEnd: Nanoseconds(end > start ? end - age : 0), count: Int(max(count, 1)),
            tier: tier.policyTier, priority: Int(priority), reservedMilliCPU: Int(reservedCpus * 1000),
            reservedMemory: Int(clamping: reservedMemoryBytes))
    }
}

extension HearthTier {
    /// Nil where it is not said, or not known to this version.
    var policyTier: Tier? {
        switch self {
        case .bare: .bare
        case .runtime: .runtime
        case .ready: .ready
        case .unspecified, .UNRECOGNIZED: nil
        }
    }
}
