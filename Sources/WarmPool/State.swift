/// A function as the pool keeps it.
struct FunctionState: Sendable {
    var spec: FunctionSpec
    /// Lives on without its id until its last sandbox is gone.
    var isDeleted = false

    /// Requests that wait, oldest first.
    var queue = Links.List()
    /// Ready sandboxes, most recently used first.
    var idle = Links.List()
    /// Starts under way to the ready tier.
    var starting = Links.List()
    /// Of these, the ones nobody waits for (their weight is background).
    var backgroundStarting = 0
    /// Running sandboxes in order of dispatch, those of older generations included.
    var running = Links.List()
    /// The first running sandbox that is not overdue, or -1; those before it have run longer than expected.
    var firstOnTime = -1
    var overdue = 0
    /// Sandboxes being evicted or demoted that still hold memory in the function's name.
    var leaving = 0

    /// Starts and claims of its that wait for room which is being made.
    var awaitingStarts = 0
    var awaitingClaims = 0

    /// Nanoseconds.
    var service = Estimator()
    /// Nanoseconds, by the tier that the start began from.
    var starts: (none: Estimator, bare: Estimator, runtime: Estimator) = (Estimator(), Estimator(), Estimator())
    /// Bytes of an idle ready sandbox.
    var idleMemory = Estimator()
    /// Nanoseconds between arrivals.
    var gap = Estimator()
    var lastArrival: Instant?
    /// When its idle sandboxes were used again.
    var reuse = ReuseCounts()

    var breaker = CircuitBreaker()
    /// No live start before this: a pause after a failed one.
    var retryAt = Instant.zero
    var demands: [Demand] = []
    /// No prefetch before this: the last one was evicted unused.
    var prefetchHoldOff = Instant.zero
    /// Medium-confidence demand that is counted in a shelf's target.
    var shelfDemand = 0
    var shelfDemandOn = -1

    /// Service received, over weight: the function with the least goes first (start-time fair queueing).
    var pass = 0.0
    var reservedMemory = 0
    var reservedCPU = 0
    var chargedMemory = 0
    var chargedCPU = 0
    /// Idle sandboxes taken out of the eviction order by a floor.
    var shielded = 0
    var counters = FunctionCounters()

    /// Sandboxes that serve or will serve it.
    var alive: Int { idle.count + starting.count + running.count }
    var onTime: Int { running.count - overdue }
}

/// Totals of a function since it was registered.
package struct FunctionCounters: Equatable, Sendable {
    package var arrivals = 0
    package var rejected = 0
    package var cancelled = 0
    package var lost = 0
    package var completed = 0
    package var startFailures = 0
    /// By `StartKind.rawValue`.
    package var starts = [Int](repeating: 0, count: StartKind.allCases.count)
}

/// A request that waits or runs.
struct RequestState: Sendable {
    var id: RequestID
    var function: Int
    var user: UserID
    var arrival: Instant
    var deadline: Instant
    /// Failed starts that it waited for.
    var attempts = 0
    /// The sandbox it runs in, or -1 while it waits.
    var sandbox = -1
    var isInterrupted = false
}

/// A sandbox as the pool keeps it.
struct SandboxState: Sendable {
    enum Phase: UInt8, Sendable { case starting, idle, running, demoting, evicting }
    enum Park: UInt8, Sendable { case awake, frozen, reclaimed }

    var id: SandboxID
    /// Slot, or -1 below the ready tier.
    var function: Int
    /// Slot of the shelf it belongs to below the ready tier, or -1.
    var shelf: Int
    var image: ImageID
    var runtime: RuntimeClass
    var generation: UInt64
    var phase: Phase
    /// Reached.
    var tier: Tier
    var target: Tier
    /// The tier that the start under way, or the last one, began from.
    var startedFrom: Tier
    var weight: StartWeight
    /// Counted among the background starts, though it may have been raised since.
    var countsAsBackground = false
    var park = Park.awake
    var origin: Origin
    var createdAt: Instant
    var startedAt: Instant
    /// When it reached each tier; `.distantFuture` until then.
    var bareAt = Instant.distantFuture
    var runtimeAt = Instant.distantFuture
    var readyAt = Instant.distantFuture
    var idleSince = Instant.zero
    var dispatchedAt = Instant.zero
    var isOverdue = false
    /// Slot of the request it runs, or -1.
    var request = -1
    var uses = 0
    /// Bytes that its cgroup lets it hold: the function's limit when it was started for it.
    var limit: Int
    /// Bytes, as last told.
    var measured = 0
    /// Bytes charged against the budget.
    var charge = 0
    /// Thousandths of a CPU charged while it runs.
    var chargedCPU = 0
    /// An unclaimed prefetch is kept until here at least.
    var holdUntil = Instant.zero
    var isShielded = false
    /// For the ledger: memory held while unused.
    var heldMegabyteSeconds = 0.0
    var heldSince = Instant.zero
    /// From when on its idle age is counted, up to where that was watched in seconds, and among whose.
    var restingSince = Instant.zero
    var watchedUntil = 0.0
    var gapClass = 0
    /// The eviction policy's clock when it became idle.
    var clockAtIdle = 0.0
    /// As it was when its place in the eviction order was last found; see `EvictionCandidate.density`.
    var density = 0.0
}

/// Why a sandbox was started.
package struct Origin: Equatable, Sendable {
    package enum Kind: Equatable, Sendable {
        /// For a request that waited.
        case request
        /// Ahead of any, on this demand.
        case prefetch(DemandSource)
        /// To keep a pool of a lower tier filled.
        case pool
        /// Found after a restart.
        case adopted
    }

    package var kind: Kind
    /// Of the demand, as it was decided.
    package var probability = 1.0
    package var threshold = 0.0
    /// When the demand's window opened and closed.
    package var due = Instant.zero
    package var until = Instant.zero
    /// Of the plan it followed, else 0.
    package var plan: UInt64 = 0

    package init(kind: Kind) { self.kind = kind }
}

/// Sandboxes of a lower tier that belong to no function: the bare ones of an image, or the runtime ones of an image
/// and a runtime class.
struct Shelf: Sendable {
    struct Key: Hashable, Sendable {
        var tier: Tier
        var image: ImageID
        /// `RuntimeClass(0)` with the bare tier.
        var runtime: RuntimeClass
    }

    var key: Key
    /// Registered functions that could use it.
    var users = 0
    /// Wanted by functions of medium confidence, beyond the configured number.
    var extra = 0
    var idle = Links.List()
    var starting = Links.List()
    var breaker = CircuitBreaker()
}
