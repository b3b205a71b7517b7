/// The policy of a node: events in, effects out. No I/O, no clock, no randomness: the same events at the same instants
/// give the same effects, in the daemon as in the replay.
///
/// Every event costs O(log n) in functions and sandboxes. The pool owns no sandbox: it knows their tier, memory and
/// phase, and says what to do with them; `README.md` beside this file holds the state diagrams.
package struct Pool: ~Copyable {
    package let configuration: Configuration
    /// The latest instant told; time never goes back.
    package internal(set) var now = Instant.zero

    var functions = Slab<FunctionState>()
    var functionSlots: [FunctionID: Int] = [:]
    var requests = Slab<RequestState>()
    var requestSlots: [RequestID: Int] = [:]
    var sandboxes = Slab<SandboxState>()
    var sandboxSlots: [SandboxID: Int] = [:]
    var shelves = Slab<Shelf>()
    var shelfSlots: [Shelf.Key: Int] = [:]
    /// Requests in their functions' queues.
    var queueLinks = Links()
    /// Sandboxes in the lists of their function or shelf.
    var sandboxLinks = Links()
    var nextSandboxID: UInt64

    /// Functions whose requests could run now but for CPU or memory, by pass.
    var dispatchable = IndexedHeap<FairKey>()
    /// Functions that need a start for a waiting request, by pass.
    var needy = IndexedHeap<FairKey>()
    /// Functions that want a prefetch now, the largest surplus first.
    var prefetches = IndexedHeap<SurplusKey>()
    /// Functions whose demand is below the threshold, the most probable first.
    var declined = IndexedHeap<SurplusKey>()
    /// Shelves below their target.
    var hungryShelves = IndexedHeap<FairKey>()
    /// Until then shelves are not filled: a request's start that came from one is under way.
    var refillAfter = Instant.zero
    /// Idle sandboxes, the first to evict first.
    var victims = IndexedHeap<VictimKey>()
    /// Idle sandboxes that floors keep, in the same order.
    var shielded = IndexedHeap<VictimKey>()
    var deadlines = IndexedHeap<Instant>()
    var sandboxTimers = IndexedHeap<Instant>()
    var functionTimers = IndexedHeap<Instant>()
    var shelfTimers = IndexedHeap<Instant>()
    var armedWake: Instant?

    /// When the worth of idle sandboxes is looked at again; nobody is woken for it.
    var ages = IndexedHeap<Instant>()
    var reuse = ReuseModel()
    /// Of any function so far, and of the lower tiers, bytes.
    var largestLimit: Int
    /// Of sandboxes of the lower tiers.
    var shelfReuse = ReuseCounts()

    var charges = Charges()
    var awaiting = AwaitingLine()
    var awaitingStarts = 0
    /// The function whose turn it is but whose memory is not there, and what it lacks; others yield to it.
    var yieldTo: (function: Int, bytes: Int, places: Int)?
    /// Pass of the function served last.
    var servedPass = 0.0
    var liveStarts = 0
    var backgroundStarts = 0
    var starts = 0
    var runningCount = 0
    var evictingCount = 0
    var demotingCount = 0
    var queuedCount = 0

    var policy: any EvictionPolicy
    package internal(set) var threshold: ThresholdController
    var pressure = MemoryPressure.none
    var planInForce: (generation: UInt64, until: Instant)?
    /// Functions with demand of the plan in force, and its entries for functions not registered yet.
    var planFunctions: [FunctionID] = []
    var planWaiting: [FunctionID: [PlanEntry]] = [:]
    var planTaken = Instant.zero
    var latestPlanGeneration: UInt64 = 0
    var isDraining = false
    var keepsOnDrain = false
    var saidDrained = false

    package internal(set) var ledger = PrefetchLedger()
    var trust = PrefetchTrust()
    package internal(set) var counters = PoolCounters()
    var out: [Effect] = []

    /// Throws where a setting is out of range.
    package init(_ configuration: Configuration) throws(ConfigurationError) {
        try configuration.validate()
        self.configuration = configuration
        policy = configuration.evictionPolicy.make()
        largestLimit = max(configuration.bareMemory, configuration.runtimeMemory, configuration.minimumCharge)
        threshold = ThresholdController(configuration.threshold)
        nextSandboxID = configuration.firstSandboxID
    }

    /// Takes in one event at `time` and appends what is to be done, in order, to `effects`.
    package mutating func handle(_ event: Event, at time: Instant, into effects: inout [Effect]) {
        swap(&out, &effects)
        now = max(now, time)
        counters.events += 1
        if let wake = armedWake, wake <= now { armedWake = nil }
        fireTimers()
        apply(event)
        settle()
        swap(&out, &effects)
    }

    package mutating func handle(_ event: Event, at time: Instant) -> [Effect] {
        var effects: [Effect] = []
        handle(event, at: time, into: &effects)
        return effects
    }

    private mutating func apply(_ event: Event) {
        switch event {
        case .functionRegistered(let spec): register(spec.sanitized)
        case .functionUpdated(let spec): update(spec.sanitized)
        case .functionDeleted(let id): delete(id)
        case .requestArrived(let id, let function, let user, let deadline):
            arrive(id, function, user, deadline)
        case .requestCancelled(let id): cancel(id)
        case .sandboxReady(let id, let tier, let cost, let memory): ready(id, tier, cost, memory)
        case .sandboxFailed(let id, let stage): failed(id, stage)
        case .sandboxGone(let id): gone(id)
        case .invocationStarted(let request, let sandbox): started(request, sandbox)
        case .invocationEnded(let request, let sandbox, let reusable, let memory):
            ended(request, sandbox, reusable, memory)
        case .predictions(let all): for prediction in all { predict(prediction) }
        case .planReceived(let plan): take(plan)
        case .prefetchRequested(let function, let count, let tier, let ttl, let confidence):
            requestPrefetch(function, count, tier, ttl, confidence)
        case .triggerFired(let function, let probability, let count, let delay, let ttl):
            trigger(function, probability, count, delay, ttl)
        case .memoryPressure(let level): press(level)
        case .memorySample(let id, let bytes): sample(id, bytes)
        case .adopt(let adopted): adopt(adopted)
        case .evictRequested(let target): evictOnRequest(target)
        case .drain(let keep): drain(keepSandboxes: keep)
        case .tick: break
        }
    }

    /// Carries out whatever has become possible.
    private mutating func settle() {
        moveThreshold()
        enforceBudget()
        serveAwaiting()
        dispatchWaiting()
        startLive()
        startBackground()
        sayDrained()
        armWake()
    }

    mutating func misfit(_ kind: Misfit) {
        counters.ignored += 1
        counters.misfits[Int(kind.rawValue)] += 1
        out.append(.record(.ignored(kind)))
    }
}

/// Totals since the pool began.
package struct PoolCounters: Equatable, Sendable {
    package var events = 0
    package var ignored = 0
    /// By `Misfit.rawValue`.
    package var misfits = [Int](repeating: 0, count: Misfit.allCases.count)
    package var created = 0
    package var promoted = 0
    /// By `EvictionReason.rawValue`.
    package var evicted = [Int](repeating: 0, count: EvictionReason.allCases.count)
    package var rejected = 0
}

/// Order by service received; ties by slot, so that it is total.
struct FairKey: Comparable, Sendable {
    var pass: Double
    var slot: Int
    static func < (a: FairKey, b: FairKey) -> Bool { a.pass != b.pass ? a.pass < b.pass : a.slot < b.slot }
}

/// The largest worth first.
struct SurplusKey: Comparable, Sendable {
    var worth: Double
    var slot: Int
    static func < (a: SurplusKey, b: SurplusKey) -> Bool { a.worth != b.worth ? a.worth > b.worth : a.slot < b.slot }
}

struct VictimKey: Comparable, Sendable {
    var priority: Double
    var lastUsed: Instant
    var id: SandboxID
    static func < (a: VictimKey, b: VictimKey) -> Bool {
        if a.priority != b.priority { return a.priority < b.priority }
        return a.lastUsed != b.lastUsed ? a.lastUsed < b.lastUsed : a.id < b.id
    }
}
