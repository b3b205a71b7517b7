/// What happened inside the pool: for the journal, the ledger and the statistics.
package enum Record: Equatable, Sendable {
    case prefetchStarted(SandboxID, FunctionID, DemandSource, probability: Double, threshold: Double)
    /// First use of a prefetched sandbox that was ready before the request. `lead`: how long it had been ready.
    case prefetchHit(SandboxID, FunctionID, DemandSource, lead: Nanoseconds, megabyteSeconds: Double)
    /// First use of one that was still starting when the request came.
    case prefetchLate(SandboxID, FunctionID, DemandSource)
    /// It went unused.
    case prefetchWasted(SandboxID, FunctionID, DemandSource, megabyteSeconds: Double)
    /// Its start failed, or it was overtaken by an update or a deletion.
    case prefetchVoid(SandboxID, FunctionID, DemandSource)
    case thresholdMoved(from: Double, to: Double, ThresholdMove, startLatencyP95: Nanoseconds)
    case breakerOpened(FunctionID, until: Instant, failures: Int)
    case breakerClosed(FunctionID)
    case planAccepted(generation: UInt64, entries: Int)
    case planRefused(generation: UInt64, inForce: UInt64)
    case planExpired(generation: UInt64)
    /// A reservation did not fit beside the others.
    case reservationRefused(FunctionID, memory: Int, milliCPU: Int)
    /// An event did not fit the pool's state and was ignored.
    case ignored(Misfit)
}

/// Why an event was ignored.
package enum Misfit: UInt8, Equatable, Sendable, CaseIterable {
    case unknownFunction
    case unknownSandbox
    case unknownRequest
    case duplicateFunction
    case duplicateRequest
    case duplicateSandbox
    case olderGeneration
    /// Right sandbox, wrong state: for example ready when nothing was starting.
    case unexpectedState
    /// Not a number, or out of all range.
    case invalidValue
}
