import Linux
import WarmPool
import Wire

/// Requests on their way in, to a sandbox, and out.
extension PoolDriver {
    /// Takes an invocation; its end comes through its own handler, exactly once.
    func submit(_ invocation: Invocation, deadline: Int64?) {
        guard let id = identifiers[invocation.function.name] else {
            return invocation.end(
                Self.rejected("'\(invocation.function.name)' was deleted meanwhile", hint: "register it again"))
        }
        waiting[invocation.id] = invocation
        invocation.entry = environment.restart.accepted(invocation.id, function: invocation.function.name)
        handle(
            .requestArrived(
                RequestID(invocation.id), function: id, user: .unknown,
                deadline: deadline.map { Instant(nanoseconds: $0) } ?? .distantFuture))
    }

    func cancel(_ invocation: Invocation, timedOut: Bool) {
        guard !invocation.hasEnded else { return }
        if timedOut { self.timedOut.insert(invocation.id) }
        handle(.requestCancelled(RequestID(invocation.id)))
        // A request that was still waiting has been forgotten by the policy; one that runs is interrupted by an effect.
        if let left = waiting.removeValue(forKey: invocation.id) {
            self.timedOut.remove(left.id)
            left.end(
                timedOut
                    ? Self.rejected("the request's deadline passed while it waited", hint: "allow more time")
                    : InvocationResult(
                        outcome: .cancelled,
                        failure: FailureDetail(type: "Cancelled", message: "the client cancelled the invocation")))
        }
    }

    func dispatch(_ request: UInt64, _ sandbox: UInt64, _ start: StartKind) {
        guard let invocation = waiting.removeValue(forKey: request) else { return }
        guard let function = sandboxes[sandbox], function.state == .idle else {
            // It died between two events; its end is on the way to the policy.
            return invocation.end(
                InvocationResult(
                    outcome: .crashed,
                    failure: FailureDetail(
                        type: "SandboxLost", message: "the sandbox ended before the request reached it",
                        hint: "send the request again")))
        }
        invocation.startKind = start.wire
        switch start {
        case .cold, .bare, .runtime:
            // The request waited for this start, from its own arrival or from the start's begin.
            invocation.times.claimed = max(invocation.times.arrived, function.startBegan)
            invocation.times.sandboxReady = max(function.sandboxReadyAt, invocation.times.claimed)
            invocation.times.functionReady = function.functionReadyAt
        case .prefetched, .warm: invocation.times.claimed = monotonicNow()
        }
        function.raise()
        running[request] = function
        function.run(invocation)
    }

    func interrupt(_ request: UInt64, _ sandbox: UInt64) {
        guard let function = running[request], let invocation = function.current, invocation.id == request else {
            return
        }
        function.cancel(invocation, timedOut: timedOut.remove(request) != nil)
    }

    func reject(_ request: UInt64, _ reason: RejectReason, _ wait: Nanoseconds?) {
        guard let invocation = waiting.removeValue(forKey: request) else { return }
        let name = invocation.function.name
        if case .startFailed = reason, let id = identifiers[name], let failure = startFailures[id] {
            return invocation.end(failure)
        }
        let (message, hint): (String, String) =
            switch reason {
            case .unknownFunction, .functionDeleted: ("'\(name)' was deleted meanwhile", "register it again")
            case .tooLarge:
                ("one invocation of '\(name)' may take more than the node's whole budget", "lower its memory")
            case .queueFull: ("too many requests wait for '\(name)'", "send fewer at once, or raise max_concurrency")
            case .deadlineUnreachable:
                ("'\(name)' cannot answer before the deadline", "allow more time, or try elsewhere")
            case .deadlineExpired: ("the deadline passed while the request waited for '\(name)'", "allow more time")
            case .startFailed(let stage):
                ("no sandbox for '\(name)' could be started (\(stage))", "see the agent's log")
            case .circuitOpen: (circuitOpen(name), "correct its code and put it again")
            case .draining: ("the agent is draining", "send the request to another node")
            }
        let pause = reason == .circuitOpen ? breakerPause(name) : nil
        invocation.end(Self.rejected(message, hint: hint, expectedWait: pause ?? wait?.value ?? 0))
    }

    /// How long no start of the function is tried, in nanoseconds.
    private func breakerPause(_ name: String) -> Int64? {
        guard let id = identifiers[name], case .open(let until)? = policy.function(id)?.breaker else { return nil }
        return max(0, until.nanoseconds - monotonicNow())
    }

    private func circuitOpen(_ name: String) -> String {
        var message = "'\(name)' has failed to start again and again"
        if let pause = breakerPause(name) {
            message += "; the next try is in \((pause + 999_999_999) / 1_000_000_000) s"
        }
        if let id = identifiers[name], let failure = startFailures[id]?.failure {
            message += "; the last time: \(failure.type): \(failure.message)"
        }
        return message
    }

    static func rejected(_ message: String, hint: String, expectedWait: Int64 = 0) -> InvocationResult {
        var result = InvocationResult(
            outcome: .rejected, failure: FailureDetail(type: "Rejected", message: message, hint: hint))
        result.expectedWait = expectedWait
        return result
    }
}

extension StartKind {
    var wire: HearthStartKind {
        switch self {
        case .cold: .cold
        case .bare: .bare
        case .runtime: .runtime
        case .prefetched: .prefetched
        case .warm: .warm
        }
    }
}
