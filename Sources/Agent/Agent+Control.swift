import Linux
import Logging
import Sandbox
import WarmPool
import Wire

/// Explicit control: evictions and the drain.
extension Agent {
    func evict(_ request: HearthEvictRequest) throws(AgentError) -> HearthEvictResponse {
        let named = [!request.function.isEmpty, !request.sandboxID.isEmpty, request.all].count { $0 }
        guard named == 1 else {
            throw .invalid(
                "\(named == 0 ? "nothing" : "more than one thing") to evict",
                remedy: "give one of function, sandbox_id and all")
        }
        let tier = request.toTier.policyTier
        if let tier {
            guard tier < .ready else {
                throw .invalid("eviction to the tier ready", remedy: "give bare or runtime, or leave it out")
            }
            guard pool.keeps(tier, for: functions[request.function]) else {
                throw AgentError(
                    .failedPrecondition, "this agent keeps no sandboxes of the tier \(tier)",
                    remedy: "leave out to_tier, or configure a pool of the tier \(tier)")
            }
        }
        let evicted = pool.evict(try target(request))
        if let tier { pool.replace(evicted, at: tier) }
        journal.append(
            "control", function: request.function, sandbox: request.sandboxID,
            "evicted \(evicted.ended), \(evicted.running) were running",
            fields: [
                "action": "evict", "evicted": "\(evicted.ended)", "running": "\(evicted.running)",
                "to_tier": tier.map { "\($0)" } ?? "none",
            ])
        var response = HearthEvictResponse()
        response.evicted = UInt32(clamping: evicted.ended)
        response.running = UInt32(clamping: evicted.running)
        return response
    }

    private func target(_ request: HearthEvictRequest) throws(AgentError) -> EvictionTarget {
        if request.all { return .all }
        if !request.function.isEmpty {
            _ = try function(named: request.function)
            guard let id = pool.identifiers[request.function] else { throw .functionNotFound(request.function) }
            return .function(id)
        }
        let name = FunctionRecord.printable(request.sandboxID)
        guard let number = PoolDriver.number(request.sandboxID) else {
            throw .invalid("'\(name)' is no sandbox", remedy: "name one as 'hearth ps' does, for example s12")
        }
        if runs[number] != nil {
            throw AgentError(
                .failedPrecondition, "a client runs a program in '\(name)'",
                remedy: "it ends with the program; end the client of 'hearth run'")
        }
        guard pool.policy.sandbox(SandboxID(number)) != nil else {
            throw AgentError(.notFound, "no sandbox '\(name)'", remedy: "see 'hearth ps'")
        }
        return .sandbox(SandboxID(number))
    }

    // MARK: Drain

    /// Takes nothing new, finishes what runs, then answers.
    func drain(
        _ request: HearthDrainRequest, completion: @escaping @LoopActor (HearthDrainResponse) -> Void
    ) throws(AgentError) {
        guard !isStopping else {
            throw AgentError(.unavailable, "the agent is stopping already", remedy: "wait for its end", retryable: true)
        }
        if drain == nil {
            drain = DrainState(accepted: pool.waitingCount + pool.runningCount + runs.count)
            isDraining = true
            logger.notice("draining", metadata: ["in_flight": "\(drain?.accepted ?? 0)", "exit": "\(request.exit)"])
            journal.append(
                "control", "draining with \(drain?.accepted ?? 0) in flight",
                fields: ["action": "drain", "in_flight": "\(drain?.accepted ?? 0)", "exit": "\(request.exit)"])
        }
        drain?.waiters.append(completion)
        if request.exit { drain?.exits = true }
        if request.timeoutNs > 0 {
            Reactor.shared.schedule(after: Int64(clamping: request.timeoutNs)) { [weak self] in self?.endRest() }
        }
        pool.drain(keepSandboxes: false)
        checkDrained()
    }

    /// The drain's time is over: what still runs is ended.
    private func endRest() {
        guard drain != nil, drain?.isComplete == false, !isStopping else { return }
        let left = pool.waiting.values.map { $0 } + pool.running.values.compactMap(\.current)
        drain?.ended += left.count + runs.count
        logger.warning("the drain's time is over", metadata: ["ended": "\(left.count + runs.count)"])
        for invocation in left.sorted(by: { $0.id < $1.id }) { pool.cancel(invocation, timedOut: true) }
        for run in runs.values { run.kill() }
    }

    /// The pool has nothing left.
    func poolDrained() {
        drain?.poolIsEmpty = true
        checkDrained()
    }

    /// Looks whether the drain is complete; after every end of something that it waits for.
    func checkDrained() {
        guard let state = drain, state.poolIsEmpty, runs.isEmpty, !isStopping else { return }
        drain?.isComplete = true
        var response = HearthDrainResponse()
        response.ended = UInt64(min(state.ended, state.accepted))
        response.finished = UInt64(state.accepted) - response.ended
        let waiters = state.waiters
        drain?.waiters = []
        for waiter in waiters { waiter(response) }
        guard state.exits else { return }
        // The answers are on their way before the connections close.
        Reactor.shared.afterTurn { [self] in stop() }
    }
}

/// A drain under way.
struct DrainState {
    /// Invocations and runs that were there when it began.
    var accepted: Int
    var ended = 0
    var poolIsEmpty = false
    var isComplete = false
    var exits = false
    var waiters: [@LoopActor (HearthDrainResponse) -> Void] = []

    init(accepted: Int) {
        self.accepted = accepted
    }
}
