/// What the pool is told. Events may come in any order and more than once: what does not fit is ignored and counted.
package enum Event: Sendable {
    case functionRegistered(FunctionSpec)
    /// New code or limits: idle sandboxes of older generations are evicted at once, running ones when they end.
    case functionUpdated(FunctionSpec)
    case functionDeleted(FunctionID)

    /// `deadline`: when the invocation must have ended; `.distantFuture` where there is none.
    case requestArrived(RequestID, function: FunctionID, user: UserID, deadline: Instant)
    case requestCancelled(RequestID)

    /// A start reached `tier`. Below the tier asked for it tells progress only. `memory`: bytes measured; 0 where that
    /// is still to come, and it counts as its limit until then.
    case sandboxReady(SandboxID, tier: Tier, startCost: Nanoseconds, memory: Int)
    /// A start or a demotion failed, also after it was told ready. Final: the sandbox is gone with all it held.
    case sandboxFailed(SandboxID, stage: StartStage)
    /// The sandbox no longer exists, asked for or not. Final.
    case sandboxGone(SandboxID)

    /// The dispatched request began to run. Without it, its dispatch counts as the begin.
    case invocationStarted(RequestID, sandbox: SandboxID)
    /// It ended, and the sandbox parked again (`reusable`) or is spent. `memory`: bytes measured after it.
    case invocationEnded(RequestID, sandbox: SandboxID, reusable: Bool, memory: Int)

    case predictions([Prediction])
    case planReceived(Plan)
    /// Keep `count` sandboxes of the function at `tier` (nil: ready) ready until `ttl` has passed.
    case prefetchRequested(FunctionID, count: Int, tier: Tier?, ttl: Nanoseconds, confidence: Double)
    /// Something that leads to an invocation has happened; the invocation is due after `delay`.
    case triggerFired(FunctionID, probability: Double, count: Int, delay: Nanoseconds, ttl: Nanoseconds)

    case memoryPressure(MemoryPressure)
    /// Bytes that the sandbox holds now.
    case memorySample(SandboxID, bytes: Int)

    /// A sandbox of an earlier run of the agent, idle at `tier`; its function must be registered before.
    case adopt(AdoptedSandbox)
    /// Ends idle sandboxes; running ones are left alone.
    case evictRequested(EvictionTarget)
    /// Refuse new requests, finish what was accepted, then say `drained`. `keepSandboxes`: for an upgrade.
    case drain(keepSandboxes: Bool)
    /// Time has passed; send one at the instant of the last `wake`.
    case tick
}

/// Where a start failed; the two last are the function's own fault.
package enum StartStage: UInt8, Sendable {
    /// Namespaces, cgroup, mounts.
    case sandbox
    /// Starting the language runtime.
    case runtime
    /// Loading the code.
    case load
    /// The warm-up event.
    case warmUp

    package var isFunctionsFault: Bool { self == .load || self == .warmUp }
}

/// How short of memory the node is, from PSI triggers.
package enum MemoryPressure: UInt8, Comparable, Sendable {
    case none
    /// Some tasks stall: nothing is prefetched, frozen sandboxes are reclaimed.
    case moderate
    /// Idle sandboxes are evicted.
    case critical

    package static func < (a: MemoryPressure, b: MemoryPressure) -> Bool { a.rawValue < b.rawValue }
}

package struct AdoptedSandbox: Equatable, Sendable {
    package var sandbox: SandboxID
    package var tier: Tier
    package var image: ImageID
    package var runtime: RuntimeClass
    /// With the ready tier.
    package var function: FunctionID?
    package var generation: UInt64
    /// Bytes measured.
    package var memory: Int
    /// Invocations that it served before.
    package var uses: Int
    package var isFrozen: Bool

    package init(
        sandbox: SandboxID, tier: Tier, image: ImageID, runtime: RuntimeClass = RuntimeClass(0),
        function: FunctionID?, generation: UInt64, memory: Int, uses: Int = 1, isFrozen: Bool = false
    ) {
        self.sandbox = sandbox
        self.tier = tier
        self.image = image
        self.runtime = runtime
        self.function = function
        self.generation = generation
        self.memory = memory
        self.uses = uses
        self.isFrozen = isFrozen
    }
}

package enum EvictionTarget: Equatable, Sendable {
    case sandbox(SandboxID)
    case function(FunctionID)
    case all
}
