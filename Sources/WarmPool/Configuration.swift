/// Settings of the pool. All have sound defaults but the memory budget.
package struct Configuration: Sendable {
    /// Bytes that all sandboxes together may be charged.
    package var memoryBudget: Int
    /// Thousandths of CPUs that running invocations together may be charged; 0 = no bound.
    package var cpuBudget = 0
    package var maxSandboxes = 4096
    /// Starts under way that a request waits for; one function takes three quarters of them at most, so that its slow
    /// starts do not stop others.
    package var maxLiveStarts = 16
    /// Starts under way that nobody waits for. Counted apart, so that live requests never wait behind warm-ups.
    package var maxBackgroundStarts = 2
    /// Sandboxes a function, where it names no `maxConcurrency`.
    package var defaultMaxConcurrency = 1000
    package var maxQueuePerFunction = 1000
    package var maxQueued = 20_000
    /// How long a request without a deadline may wait for a sandbox.
    package var defaultQueueTime = Nanoseconds.seconds(60)
    /// Starts tried for one request before it fails, where the fault is not its function's.
    package var maxStartAttempts = 3
    /// Pause of a function's starts after one that failed by no fault of its own.
    package var retryPause = Nanoseconds.milliseconds(10)
    /// A start that waited this long for memory or a place makes others yield to it.
    package var patience = Nanoseconds.seconds(2)

    /// What a running sandbox is charged.
    package var runningCharge = RunningCharge.limit
    /// Charged for an idle sandbox at least: what the kernel holds for it outside its cgroup's count.
    package var minimumCharge = 512 << 10
    /// Share of the memory budget that background starts leave free, 0...1.
    package var liveHeadroom = 0.05
    /// Share of either budget that reservations may take together, 0...1.
    package var reservableShare = 0.8

    /// Idle time until a used sandbox is let go, where its function does not say.
    package var keepAlive = Nanoseconds.minutes(10)
    /// Idle time until it is frozen; nil = never.
    package var freezeAfter: Nanoseconds? = .seconds(1)
    /// Idle time until the memory of a frozen one is reclaimed; nil = only under pressure.
    package var reclaimAfter: Nanoseconds?
    /// Tier that an expired ready sandbox goes back to while the pool below wants one; nil: it ends.
    /// Code of one function has run in it: only where the sandbox can be reset to a clean state.
    package var demoteTo: Tier?
    /// Invocations that a sandbox serves at most; 0 = no bound.
    package var maxUses = 0
    package var evictionPolicy = EvictionPolicyName.hitDensity

    /// Sandboxes of the bare tier kept for each image in use; 0 = the tier is not used.
    package var barePool = 0
    /// Sandboxes of the runtime tier kept for each image and runtime class in use; 0 = the tier is not used.
    package var runtimePool = 0
    /// Memory charged for a bare and for a runtime sandbox while it starts.
    package var bareMemory = 1 << 20
    package var runtimeMemory = 32 << 20
    /// What bringing up a lower tier costs, for deciding when to begin.
    package var bareStartCost = Nanoseconds.milliseconds(2)
    package var runtimeStartCost = Nanoseconds.milliseconds(50)

    /// Price of idle memory: milliseconds of saved start that one megabyte-second must bring.
    package var price = 0.002
    /// The window in which idle sandboxes are compared for eviction.
    package var valueHorizon = Nanoseconds.minutes(10)
    /// Share of the confidence threshold from which on a lower tier is bought, 0...1.
    package var mediumShare = 0.5
    /// Share of the confidence threshold down to which a sandbox that is there is kept, 0...1.
    package var keepShare = 0.5
    /// A fresh forecast below `keepShare` ends the keep-alive early, after `minimumIdle`.
    package var forecastEndsKeepAlive = false
    package var minimumIdle = Nanoseconds.seconds(10)
    /// A prefetch begins this much earlier than its start cost demands.
    package var leadMargin = Nanoseconds.milliseconds(200)
    /// TTL of explicit prefetches that name none.
    package var defaultPrefetchTTL = Nanoseconds.minutes(5)
    /// After an unused prefetched sandbox was evicted for others, its function is not prefetched again so long.
    package var holdOff = Nanoseconds.seconds(30)
    package var threshold = ThresholdController.Settings()

    package var breaker = CircuitBreaker.Settings()
    /// What a request gets while its function's breaker is open.
    package var liveWhileOpen = LiveWhileOpen.mayTry

    /// Sandbox ids start here; after a restart above any id used before.
    package var firstSandboxID: UInt64 = 1

    package init(memoryBudget: Int) { self.memoryBudget = memoryBudget }

    package enum RunningCharge: Sendable {
        /// Its memory limit: the budget holds whatever the code does.
        case limit
        /// What such sandboxes were measured to hold: denser, and pressure is met by eviction.
        case measured
    }

    package enum LiveWhileOpen: Sendable {
        /// Requests may try, one start at a time.
        case mayTry
        /// They are rejected at once.
        case failFast
    }
}

/// A setting out of range.
package struct ConfigurationError: Error, Equatable, CustomStringConvertible {
    package let setting: String
    package let problem: String
    package var description: String { "pool setting \(setting): \(problem)" }
}

extension Configuration {
    /// Throws for the first setting that is out of range.
    package func validate() throws(ConfigurationError) {
        func require(_ holds: Bool, _ setting: String, _ problem: String) throws(ConfigurationError) {
            if !holds { throw ConfigurationError(setting: setting, problem: problem) }
        }
        try require(memoryBudget > 0 && memoryBudget <= 1 << 50, "memoryBudget", "must be from 1 byte to 1 PiB")
        try require(cpuBudget >= 0 && cpuBudget <= 1 << 40, "cpuBudget", "must be 0 (no bound) or more")
        for (name, value) in [
            ("maxSandboxes", maxSandboxes), ("maxLiveStarts", maxLiveStarts),
            ("defaultMaxConcurrency", defaultMaxConcurrency), ("maxQueuePerFunction", maxQueuePerFunction),
            ("maxQueued", maxQueued), ("maxStartAttempts", maxStartAttempts),
        ] {
            try require(value >= 1 && value <= 1 << 20, name, "must be from 1 to 1048576")
        }
        for (name, value) in [
            ("maxBackgroundStarts", maxBackgroundStarts), ("barePool", barePool), ("runtimePool", runtimePool),
            ("maxUses", maxUses),
        ] {
            try require(value >= 0 && value <= 1 << 20, name, "must be from 0 to 1048576")
        }
        for (name, value) in [
            ("minimumCharge", minimumCharge), ("bareMemory", bareMemory), ("runtimeMemory", runtimeMemory),
        ] {
            try require(value >= 0 && value <= 1 << 42, name, "must be from 0 to 4 TiB")
        }
        for (name, value) in [
            ("liveHeadroom", liveHeadroom), ("reservableShare", reservableShare), ("mediumShare", mediumShare),
            ("keepShare", keepShare),
        ] {
            try require((0...1).contains(value), name, "must be from 0 to 1")
        }
        for (name, value) in [
            ("defaultQueueTime", defaultQueueTime), ("patience", patience), ("retryPause", retryPause),
            ("keepAlive", keepAlive), ("freezeAfter", freezeAfter ?? .zero), ("reclaimAfter", reclaimAfter ?? .zero),
            ("bareStartCost", bareStartCost), ("runtimeStartCost", runtimeStartCost), ("minimumIdle", minimumIdle),
            ("leadMargin", leadMargin), ("defaultPrefetchTTL", defaultPrefetchTTL), ("holdOff", holdOff),
        ] {
            try require(value >= .zero, name, "must not be negative")
        }
        try require(valueHorizon > .zero, "valueHorizon", "must be positive")
        try require(price >= 0 && price < 1e9, "price", "must be 0 or more")
        try require(demoteTo == nil || demoteTo == .bare || demoteTo == .runtime, "demoteTo", "must be bare or runtime")
        try threshold.validate()
        try breaker.validate()
    }
}
