import Linux
import WarmPool
import Wire

/// The method Prefetch: answered at once, or with `wait` when the sandboxes are there.
@LoopActor
final class PrefetchStream: Session.StreamHandler {
    private let session: Session
    private let stream: UInt32
    private let function: FunctionRecord
    private let count: Int
    private let tier: Tier
    private var response: HearthPrefetchResponse
    private var timer: Reactor.Timer?
    private var hasEnded = false

    private init(
        _ session: Session, _ stream: UInt32, _ function: FunctionRecord, count: Int, tier: Tier,
        _ response: HearthPrefetchResponse
    ) {
        self.session = session
        self.stream = stream
        self.function = function
        self.count = count
        self.tier = tier
        self.response = response
    }

    static func start(
        _ request: ServerRequest<SharedFD>, _ session: Session
    ) throws(AgentError) -> (any Session.StreamHandler)? {
        let message = try RequestRouter.decode(request, HearthPrefetchRequest.self)
        let agent = session.agent
        try agent.checkAccepting()
        let function = try agent.function(named: message.function)
        let name = function.name
        let tier = message.tier.policyTier ?? .ready
        let count = Int(max(1, message.count))
        let confidence = message.confidence == 0 ? 1 : message.confidence
        guard confidence > 0, confidence <= 1 else {
            throw .invalid("confidence \(message.confidence) is not 0 to 1", remedy: "leave it out for certainty")
        }
        guard count <= function.maxConcurrency else {
            throw .invalid(
                "\(count) sandboxes of '\(name)', which has max_concurrency \(function.maxConcurrency)",
                remedy: "ask for fewer, or raise max_concurrency")
        }
        guard agent.pool.keeps(tier, for: function) else {
            throw AgentError(
                .failedPrecondition, "this agent keeps no sandboxes of the tier \(tier) for '\(name)'",
                remedy: "prefetch the tier ready, or configure a pool of the tier \(tier)")
        }
        guard !message.wait || confidence >= agent.pool.threshold else {
            throw AgentError(
                .failedPrecondition,
                "confidence \(confidence) is below the threshold \(agent.pool.threshold): nothing would be started",
                remedy: "ask with a higher confidence, or without waiting")
        }
        let before = agent.pool.supply(of: function, at: tier)
        let present = min(count, before.there + before.starting)
        var response = HearthPrefetchResponse()
        response.present = UInt32(present)
        response.started = confidence >= agent.pool.threshold ? UInt32(count - present) : 0
        let ttl = Int64(clamping: message.ttlNs)
        agent.journal.append(
            "control", function: name, "prefetch of \(count) at tier \(tier)",
            fields: [
                "action": "prefetch", "count": "\(count)", "tier": "\(tier)", "present": "\(present)",
                "ttl_ms": "\(ttl / 1_000_000)",
            ])
        let prefetch = PrefetchStream(session, request.stream, function, count: count, tier: tier, response)
        agent.pool.prefetch(function, count: count, tier: tier, ttl: ttl, confidence: confidence)
        guard message.wait else {
            prefetch.response.sandboxIds = agent.pool.idleNames(of: function, at: tier)
            session.respond(request.stream, prefetch.response)
            return nil
        }
        prefetch.wait(atMost: ttl == 0 ? agent.pool.defaultPrefetchTTL : ttl)
        return prefetch
    }

    private func wait(atMost ttl: Int64) {
        timer = Reactor.shared.schedule(after: ttl) { [weak self] in self?.expired() }
        session.agent.pool.observe(self) { [weak self] in self?.look() }
        look()
    }

    private func look() {
        guard !hasEnded else { return }
        let pool = session.agent.pool
        let supply = pool.supply(of: function, at: tier)
        if supply.there >= count {
            response.sandboxIds = pool.idleNames(of: function, at: tier)
            stop()
            return session.respond(stream, response)
        }
        guard let known = session.agent.functions[function.name], known.generation == function.generation else {
            return fail(
                AgentError(
                    .failedPrecondition, "'\(function.name)' was updated or deleted meanwhile",
                    remedy: "prefetch it again"))
        }
        if let failure = pool.startFailure(of: function) {
            fail(
                AgentError(
                    .failedPrecondition,
                    "'\(function.name)' does not start: \(failure.failure?.message ?? failure.outcome.rawValue)",
                    remedy: failure.failure?.hint ?? "see the agent's log"))
        }
    }

    private func expired() {
        let there = session.agent.pool.supply(of: function, at: tier).there
        fail(
            AgentError(
                .resourceExhausted, "\(there) of \(count) sandboxes of '\(function.name)' were there after the TTL",
                remedy: "see 'hearth stats' for the memory budget and the queue", retryable: true))
    }

    private func fail(_ error: AgentError) {
        guard !hasEnded else { return }
        stop()
        session.respond(stream, error: error)
    }

    private func stop() {
        hasEnded = true
        timer?.cancel()
        session.agent.pool.stopObserving(self)
    }

    // MARK: The stream

    func received(_ bytes: [UInt8], end: Bool) { session.consumed(stream, bytes.count) }

    /// What was asked for goes on: only nobody waits for it.
    func cancelled(_ reason: Session.CancelReason) {
        fail(
            reason == .deadline
                ? AgentError(
                    .deadlineExceeded, "the sandboxes of '\(function.name)' were not there at the deadline",
                    remedy: "they are still being started: ask again", retryable: true)
                : .cancelled())
    }

    func drained() {}
}
