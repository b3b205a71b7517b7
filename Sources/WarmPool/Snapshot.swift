/// The pool's figures at one instant, for statistics.
package struct PoolSnapshot: Sendable {
    package struct TierFigures: Equatable, Sendable {
        package var sandboxes = 0
        /// Bytes charged.
        package var charged = 0
    }

    package var memoryBudget: Int
    package var charged: Int
    /// Of `charged`: sandboxes that are being ended.
    package var evicting: Int
    package var reserved: Int
    package var milliCPU: Int
    package var queued: Int
    package var running: Int
    package var idle: Int
    package var liveStarts: Int
    package var backgroundStarts: Int
    /// By `Tier.rawValue` reached; those being ended left out.
    package var tiers: [TierFigures]
    package var threshold: Double
    package var startLatencyP95: Nanoseconds
    package var thresholdMoves: Int
    package var pressure: MemoryPressure
    package var planGeneration: UInt64
    package var planUntil: Instant?
    package var isDraining: Bool
    package var ledger: PrefetchLedger
    package var counters: PoolCounters
}

package struct SandboxSnapshot: Equatable, Sendable {
    package enum State: String, Sendable { case creating, idle, frozen, running, demoting, ending }

    package var id: SandboxID
    package var function: FunctionID?
    package var image: ImageID
    package var runtime: RuntimeClass
    package var generation: UInt64
    package var tier: Tier
    package var state: State
    package var age: Nanoseconds
    /// Zero unless idle or frozen.
    package var idle: Nanoseconds
    package var uses: Int
    /// Bytes measured, and bytes charged.
    package var memory: Int
    package var charged: Int
    package var explanation: Explanation
}

package struct FunctionSnapshot: Equatable, Sendable {
    package var id: FunctionID
    package var generation: UInt64
    package var queued: Int
    package var idle: Int
    package var starting: Int
    package var running: Int
    /// Nil until measured.
    package var service: Nanoseconds?
    package var startEstimate: Nanoseconds
    package var expectedWait: Nanoseconds?
    package var breaker: CircuitBreaker.State
    package var failures: Int
    package var counters: FunctionCounters
}

/// Why a sandbox is here, and until when.
package struct Explanation: Equatable, Sendable, CustomStringConvertible {
    package var origin: Origin
    package var uses: Int
    package var age: Nanoseconds
    /// With an idle one: how long it will still be kept where nothing happens; nil: a floor keeps it.
    package var keptFor: Nanoseconds?
    package var isIdle: Bool
    package var keptByFloor: Bool
    /// Its place in the eviction order, lowest first; nil unless idle.
    package var evictionPriority: Double?

    package var description: String {
        var text =
            switch origin.kind {
            case .request: "started for a request that waited"
            case .prefetch(.floor): "started to keep its function's minimum ready"
            case .prefetch(.request): "prefetched on request (confidence \(Self.percent(origin.probability)))"
            case .prefetch(.plan): "prefetched by plan \(origin.plan) (\(confidence))"
            case .prefetch(let source): "prefetched on \(source) (\(confidence))"
            case .pool: "kept ready for any function of its image"
            case .adopted: "taken over from the agent's run before"
            }
        text += uses == 0 ? ", not used yet" : uses == 1 ? ", used once" : ", used \(uses) times"
        if keptByFloor {
            if origin.kind != .pool { text += ", kept by a floor" }
        } else if isIdle, let keptFor {
            text += ", kept for \(max(keptFor.value, 0) / 1_000_000_000) s more"
        }
        return text
    }

    private var confidence: String {
        "confidence \(Self.percent(origin.probability)) over threshold \(Self.percent(origin.threshold))"
    }

    private static func percent(_ share: Double) -> String { "\(Int(min(max(share, 0), 1) * 100 + 0.5)) %" }
}

extension Pool {
    /// Bytes charged against the budget.
    package var charged: Int { charges.total }
    /// Of these, sandboxes that are being ended.
    package var chargedEnding: Int { charges.evicting }

    package func snapshot() -> PoolSnapshot {
        var tiers = [PoolSnapshot.TierFigures](repeating: .init(), count: Tier.allCases.count)
        forEachSandbox { sandbox in
            guard sandboxes[sandbox].phase != .evicting else { return }
            tiers[Int(sandboxes[sandbox].tier.rawValue)].sandboxes += 1
            tiers[Int(sandboxes[sandbox].tier.rawValue)].charged += sandboxes[sandbox].charge
        }
        return PoolSnapshot(
            memoryBudget: configuration.memoryBudget, charged: charges.total, evicting: charges.evicting,
            reserved: charges.reserved, milliCPU: charges.cpu, queued: queuedCount, running: runningCount,
            idle: victims.count + shielded.count, liveStarts: liveStarts, backgroundStarts: backgroundStarts,
            tiers: tiers, threshold: threshold.threshold, startLatencyP95: threshold.lastP95,
            thresholdMoves: threshold.moves, pressure: pressure, planGeneration: planInForce?.generation ?? 0,
            planUntil: planInForce?.until, isDraining: isDraining, ledger: ledger, counters: counters)
    }

    /// All sandboxes, by id.
    package func sandboxSnapshots() -> [SandboxSnapshot] {
        var all: [SandboxSnapshot] = []
        all.reserveCapacity(sandboxes.count)
        forEachSandbox { all.append(snapshot(of: $0)) }
        all.sort { $0.id < $1.id }
        return all
    }

    /// Nil where there is no such sandbox.
    package func sandbox(_ id: SandboxID) -> SandboxSnapshot? { sandboxSlots[id].map { snapshot(of: $0) } }

    /// Why this sandbox is here; nil where there is none.
    package func explain(_ id: SandboxID) -> Explanation? { sandboxSlots[id].map { explanation(of: $0) } }

    package func function(_ id: FunctionID) -> FunctionSnapshot? {
        guard let slot = functionSlots[id] else { return nil }
        let state = functions[slot]
        return FunctionSnapshot(
            id: id, generation: state.spec.generation, queued: state.queue.count, idle: state.idle.count,
            starting: state.starting.count, running: state.running.count,
            service: state.service.known.map { Nanoseconds(rounding: $0) },
            startEstimate: Nanoseconds(rounding: startEstimate(slot)), expectedWait: expectedWait(slot),
            breaker: state.breaker.state(at: now), failures: state.breaker.failures, counters: state.counters)
    }

    private func forEachSandbox(_ body: (Int) -> Void) {
        // The order of a dictionary reaches no effect here, and callers sort.
        for slot in sandboxSlots.values { body(slot) }
    }

    private func snapshot(of sandbox: Int) -> SandboxSnapshot {
        let state = sandboxes[sandbox]
        let phase: SandboxSnapshot.State =
            switch state.phase {
            case .starting: .creating
            case .idle: state.park == .awake ? .idle : .frozen
            case .running: .running
            case .demoting: .demoting
            case .evicting: .ending
            }
        return SandboxSnapshot(
            id: state.id, function: state.function >= 0 ? functions[state.function].spec.id : nil, image: state.image,
            runtime: state.runtime, generation: state.generation, tier: state.tier, state: phase,
            age: now - state.createdAt,
            idle: state.phase == .idle ? now - state.idleSince : .zero, uses: state.uses, memory: state.measured,
            charged: state.charge, explanation: explanation(of: sandbox))
    }

    private func explanation(of sandbox: Int) -> Explanation {
        let state = sandboxes[sandbox]
        let isIdle = state.phase == .idle
        let isKept = isIdle && (keepsByFloor(sandbox) || isKeptOnShelf(sandbox))
        return Explanation(
            origin: state.origin, uses: state.uses, age: now - state.createdAt,
            keptFor: isIdle && !isKept ? expiry(sandbox) - now : nil, isIdle: isIdle, keptByFloor: isKept,
            evictionPriority: victims.key(of: sandbox)?.priority ?? shielded.key(of: sandbox)?.priority)
    }
}

extension Pool {
    /// Whether a deleted function, a timer or a count outlived what it belonged to; for tests at quiescence.
    package var hasResidue: Bool {
        functions.count != functionSlots.count || sandboxes.count != sandboxSlots.count
            || requests.count != requestSlots.count || charges.evictable != 0 && victims.isEmpty
            || evictingCount + demotingCount + starts != 0 || (functions.count == 0 && charges.reserved != 0)
            || (functions.count == 0 && charges.reservedGap + charges.reservedCPUGap != 0)
            || (sandboxes.count == 0 && !sandboxTimers.isEmpty)
            || (functions.count == 0 && !(functionTimers.isEmpty && shelfTimers.isEmpty))
            || (requests.count == 0 && !deadlines.isEmpty)
    }
}
