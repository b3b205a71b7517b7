/// What the pool wants done. Effects are carried out in order; none is answered but by events.
package enum Effect: Equatable, Sendable {
    /// Begin a sandbox and bring it to `Creation.tier`. Answer: `sandboxReady` or `sandboxFailed`.
    case create(Creation)
    /// Bind a bare or runtime sandbox to a function and bring it to the ready tier. Answer as for `create`.
    case promote(SandboxID, function: FunctionID, generation: UInt64, to: Tier, weight: StartWeight)
    /// A request waits for this background start now: raise its CPU weight.
    case raise(SandboxID)

    /// Run the request in the sandbox. `waited`: since arrival. Answer: `invocationEnded` (or `sandboxGone`).
    case dispatch(RequestID, sandbox: SandboxID, start: StartKind, waited: Nanoseconds)
    /// The request was cancelled while it ran: stop it. Answer: `invocationEnded`.
    case interrupt(RequestID, sandbox: SandboxID)
    /// The sandbox went away under the running request: answer it as crashed.
    case lost(RequestID, sandbox: SandboxID)
    /// The request ends without having run.
    case reject(RequestID, RejectReason, expectedWait: Nanoseconds?)

    case freeze(SandboxID)
    /// Comes before the `dispatch` or `demote` that needs it.
    case thaw(SandboxID)
    /// Give its memory back to the node (it is frozen). Tell the outcome by `memorySample`.
    case reclaim(SandboxID)
    /// Unload the function and go back to `to`. Answer: `sandboxReady` at that tier, or `sandboxGone`.
    case demote(SandboxID, to: Tier)
    /// End the sandbox, whatever it is doing but running. Answer: `sandboxGone`.
    case evict(SandboxID, EvictionReason)

    /// Send an event, `tick` if no other, at this instant. Replaces the wake before it.
    case wake(at: Instant)
    /// The drain is complete.
    case drained
    /// For the journal and the statistics.
    case record(Record)
}

package struct Creation: Equatable, Sendable {
    package var sandbox: SandboxID
    package var image: ImageID
    package var runtime: RuntimeClass
    /// nil below the ready tier.
    package var function: FunctionID?
    /// Of the function.
    package var generation: UInt64
    /// The tier to reach.
    package var tier: Tier
    package var weight: StartWeight
}

package enum RejectReason: Equatable, Sendable {
    case unknownFunction
    /// The function was deleted while the request waited.
    case functionDeleted
    /// One invocation may take more than the whole budget.
    case tooLarge
    /// The function's queue, or the node's, is full.
    case queueFull
    /// Refused at once: the expected wait is past the deadline.
    case deadlineUnreachable
    /// It waited until its deadline.
    case deadlineExpired
    /// No sandbox could be brought to readiness for it.
    case startFailed(StartStage)
    /// The function's starts fail; the circuit breaker is open.
    case circuitOpen
    case draining
}

package enum EvictionReason: UInt8, Equatable, Sendable, CaseIterable {
    /// Its keep-alive or TTL is over.
    case expired
    /// Its memory or place is needed for a request.
    case makeRoom
    /// Its memory is needed for a prefetch worth more.
    case outbid
    case memoryPressure
    /// Its function has newer code.
    case staleCode
    case functionDeleted
    /// The invocation left it unfit for another.
    case spent
    case requested
    case draining
    /// Not wanted when it was found after a restart.
    case notAdopted
}
