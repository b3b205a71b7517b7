import HeapModule
import WarmPool

/// A pool as the event replay drives it: the agent's own, or another for comparison.
protocol PoolMachine: ~Copyable {
    /// Takes in an event and appends what is to be done to `effects`, in order.
    mutating func handle(_ event: Event, at now: Instant, into effects: inout [Effect])
    /// The confidence below which nothing is prefetched, where there is one.
    var prefetchThreshold: Double? { get }
}

/// The world of an event replay: it does what a pool asks, takes the time and memory that costs, and tells the pool.
struct PoolWorld<Pool: PoolMachine & ~Copyable>: ~Copyable {
    private var pool: Pool
    private var forecast: MinuteFeed?
    private let trace: EventTrace
    private let costs: NodeCosts
    private var outcome: EventOutcome
    private var sandboxes: [SandboxID: WorldSandbox] = [:]
    private var agenda: Heap<Entry> = []
    private var sequence = 0
    private var nextWake: Int64?
    private var memory = MemoryMeter()
    private var answered: [Bool]
    private var effects: [Effect] = []
    private var lastSample = Int64.min / 2

    private struct Entry: Comparable {
        let time: Int64
        let sequence: Int
        let event: Event
        static func < (a: Self, b: Self) -> Bool { (a.time, a.sequence) < (b.time, b.sequence) }
        static func == (a: Self, b: Self) -> Bool { (a.time, a.sequence) == (b.time, b.sequence) }
    }

    /// Runs all of `trace`. `forecast` hands the pool predictions minute by minute.
    static func run(
        _ trace: EventTrace, _ pool: consuming Pool, forecast: consuming MinuteFeed? = nil, costs: NodeCosts,
        budgetMB: Double, policy: String
    ) throws(ReplayError) -> EventOutcome {
        var world = PoolWorld(trace, pool, forecast, costs, budgetMB, policy)
        return try world.run()
    }

    private init(
        _ trace: EventTrace, _ pool: consuming Pool, _ forecast: consuming MinuteFeed?, _ costs: NodeCosts,
        _ budgetMB: Double, _ policy: String
    ) {
        self.trace = trace
        self.pool = pool
        self.forecast = forecast
        self.costs = costs
        outcome = EventOutcome(policy: policy, budgetMB: budgetMB, units: trace.units.count)
        answered = [Bool](repeating: false, count: trace.requests.count)
    }

    private mutating func run() throws(ReplayError) -> EventOutcome {
        for index in trace.units.indices { try tell(.functionRegistered(spec(of: index)), at: 0) }
        for (index, request) in trace.requests.enumerated() {
            try advance(to: request.arrival)
            forecast?.saw(Int(request.unit), user: request.user)
            try tell(
                .requestArrived(
                    RequestID(UInt64(index)), function: FunctionID(UInt32(request.unit)),
                    user: UserID(UInt64(request.user + 1)), deadline: .distantFuture), at: request.arrival)
        }
        // What still runs or waits may finish after the trace's end; wakes long beyond it are of no interest.
        try advance(to: Int64.max)
        memory.advance(to: trace.end)
        outcome.rejected = answered.count { !$0 }
        outcome.heldMBus = memory.heldMBus
        outcome.idleMBus = memory.idleMBus
        outcome.peakMB = memory.peakMB
        return outcome
    }

    private func spec(of unit: Int) -> FunctionSpec {
        func cost(_ tier: Tier) -> Nanoseconds { Nanoseconds(costs.timeToReady(from: tier) * 1000) }
        return FunctionSpec(
            id: FunctionID(UInt32(unit)), generation: 1, image: ImageID(0),
            memoryLimit: Int(trace.units[unit].memoryMB * 1_048_576),
            startCosts: StartCosts(fromNone: cost(.none), fromBare: cost(.bare), fromRuntime: cost(.runtime)))
    }

    /// Lets everything up to `time` happen: what is on the agenda, the pool's wakes, the forecast's minutes.
    private mutating func advance(to time: Int64) throws(ReplayError) {
        while true {
            let due = agenda.min?.time ?? Int64.max
            let wake = nextWake.flatMap { $0 <= trace.end + 120_000_000 ? $0 : nil } ?? Int64.max
            let minute = forecast?.nextMinute ?? Int64.max
            let next = min(due, wake, minute < trace.end ? minute : Int64.max)
            guard next <= time, next < Int64.max else { return }
            if next == due, let entry = agenda.popMin() {
                try settle(entry)
            } else if next == wake {
                nextWake = nil
                try tell(.tick, at: wake)
            } else if let predictions = forecast?.step() {
                try tell(.predictions(predictions), at: next)
            }
        }
    }

    private mutating func settle(_ entry: Entry) throws(ReplayError) {
        memory.advance(to: min(entry.time, trace.end))
        switch entry.event {
        case .sandboxReady(let id, let tier, _, _):
            // Evicted meanwhile: the work was for nothing.
            guard let sandbox = sandboxes[id], let target = sandbox.target, tier <= target else { return }
            sandboxes[id]?.tier = tier
            if tier == target { sandboxes[id]?.target = nil }
        case .sandboxGone(let id):
            guard let sandbox = sandboxes.removeValue(forKey: id) else { return }
            memory.release(sandbox.megabytes)
            outcome.evicted += 1
        case .invocationEnded(_, let id, _, _):
            if let sandbox = sandboxes[id] { memory.setIdle(sandbox.megabytes) }
            sandboxes[id]?.isBusy = false
        default: break
        }
        try tell(entry.event, at: entry.time)
    }

    private mutating func tell(_ event: Event, at now: Int64) throws(ReplayError) {
        memory.advance(to: min(now, trace.end))
        effects.removeAll(keepingCapacity: true)
        pool.handle(event, at: Instant(nanoseconds: now * 1000), into: &effects)
        for effect in effects { try apply(effect, at: now) }
        if now - lastSample >= 60_000_000, let threshold = pool.prefetchThreshold {
            lastSample = now
            outcome.thresholds.append((Double(now) / 1e6, threshold))
        }
    }

    private mutating func apply(_ effect: Effect, at now: Int64) throws(ReplayError) {
        switch effect {
        case .create(let creation): try create(creation, at: now)
        case .promote(let id, let function, _, let tier, _): try promote(id, function, tier, at: now)
        case .dispatch(let request, let id, let kind, _): try dispatch(request, id, kind, at: now)
        case .reject(let request, _, _): try answer(request, at: now, served: false)
        case .freeze(let id): sandboxes[id]?.isFrozen = true
        case .thaw(let id):
            sandboxes[id]?.isFrozen = false
            sandboxes[id]?.thawedAt = now
            if let sandbox = sandboxes[id] { resize(id, to: size(sandbox.function, sandbox.tier)) }
        case .reclaim(let id):
            guard let sandbox = sandboxes[id], sandbox.isFrozen else { return }
            resize(id, to: sandbox.megabytes * costs.reclaimedShare)
            let bytes = Int((sandboxes[id]?.megabytes ?? 0) * 1_048_576)
            schedule(now + costs.us(costs.thawMs), .memorySample(id, bytes: bytes))
        case .demote(let id, let tier):
            guard let sandbox = sandboxes[id], !sandbox.isBusy else { throw broken("it demoted a busy sandbox", now) }
            sandboxes[id]?.tier = .none
            sandboxes[id]?.target = tier
            resize(id, to: size(sandbox.function, tier))
            let work = costs.us(tier == .bare ? costs.createMs : costs.runtimeMs)
            schedule(now + work, ready(id, tier, work))
        case .evict(let id, _):
            guard let sandbox = sandboxes[id], !sandbox.isBusy else {
                throw broken("it evicted sandbox \(id.rawValue), which is busy or unknown", now)
            }
            sandboxes[id]?.target = nil
            schedule(now + costs.us(costs.destroyMs), .sandboxGone(id))
        case .wake(let time): nextWake = max((time.nanoseconds + 999) / 1000, now + 1)
        case .record(let record): note(record)
        case .raise, .interrupt, .lost, .drained: break
        }
    }

    private mutating func create(_ creation: Creation, at now: Int64) throws(ReplayError) {
        let id = creation.sandbox
        guard sandboxes[id] == nil else { throw broken("it created sandbox \(id.rawValue) twice", now) }
        let function = creation.function.map { Int($0.rawValue) }
        // Memory is charged from the start: it must be there when the pages come.
        let megabytes = size(function, creation.tier)
        sandboxes[id] = WorldSandbox(function: function, tier: .none, target: creation.tier, megabytes: megabytes)
        memory.take(megabytes)
        outcome.created += 1
        progress(id, from: .none, to: creation.tier, at: now)
    }

    private mutating func promote(
        _ id: SandboxID, _ function: FunctionID, _ tier: Tier, at now: Int64
    ) throws(ReplayError) {
        guard let sandbox = sandboxes[id], sandbox.target == nil, !sandbox.isBusy, sandbox.tier < tier else {
            throw broken("it promoted sandbox \(id.rawValue), which cannot be", now)
        }
        sandboxes[id]?.function = Int(function.rawValue)
        sandboxes[id]?.target = tier
        resize(id, to: size(Int(function.rawValue), tier))
        progress(id, from: sandbox.tier, to: tier, at: now)
    }

    /// Puts each tier on the way on the agenda.
    private mutating func progress(_ id: SandboxID, from: Tier, to: Tier, at now: Int64) {
        var spent: Int64 = 0
        for tier in [Tier.bare, .runtime, .ready] where tier > from && tier <= to {
            spent += costs.step(to: tier)
            schedule(now + spent, ready(id, tier, spent))
        }
    }

    private func ready(_ id: SandboxID, _ tier: Tier, _ cost: Int64) -> Event {
        let bytes = Int(size(sandboxes[id]?.function, tier) * 1_048_576)
        return .sandboxReady(id, tier: tier, startCost: Nanoseconds(cost * 1000), memory: bytes)
    }

    private mutating func dispatch(
        _ request: RequestID, _ id: SandboxID, _ kind: StartKind, at now: Int64
    ) throws(ReplayError) {
        try answer(request, at: now, served: true)
        let wanted = trace.requests[Int(request.rawValue)]
        guard let sandbox = sandboxes[id], sandbox.target == nil, sandbox.tier == .ready, !sandbox.isBusy,
            sandbox.function == Int(wanted.unit), !sandbox.isFrozen
        else {
            throw broken(
                "it sent request \(request.rawValue) to sandbox \(id.rawValue), which is not ready for it", now)
        }
        let delay = costs.dispatchUs + (sandbox.thawedAt == now ? costs.us(costs.thawMs) : 0)
        let waited = now - wanted.arrival
        let isReadyStart = kind == .warm || kind == .prefetched
        outcome.serve(Int(wanted.unit), kind, waited: isReadyStart ? waited : 0, us: waited + delay)
        sandboxes[id]?.isBusy = true
        memory.setBusy(sandbox.megabytes)
        let bytes = Int(sandbox.megabytes * 1_048_576)
        schedule(
            now + delay + wanted.run, .invocationEnded(request, sandbox: id, reusable: true, memory: bytes))
    }

    private mutating func answer(_ request: RequestID, at now: Int64, served: Bool) throws(ReplayError) {
        let index = Int(request.rawValue)
        guard index < answered.count, !answered[index] else {
            throw broken("it answered request \(index) twice", now)
        }
        // Rejected requests stay unanswered here: they are counted in the end with those never answered.
        answered[index] = served
    }

    private mutating func note(_ record: Record) {
        switch record {
        case .prefetchHit: outcome.prefetchHits += 1
        case .prefetchLate: outcome.prefetchLate += 1
        case .prefetchWasted: outcome.prefetchWasted += 1
        default: break
        }
    }

    private mutating func schedule(_ time: Int64, _ event: Event) {
        sequence += 1
        agenda.insert(Entry(time: time, sequence: sequence, event: event))
    }

    private mutating func resize(_ id: SandboxID, to megabytes: Double) {
        guard let sandbox = sandboxes[id] else { return }
        memory.release(sandbox.megabytes)
        memory.take(megabytes)
        sandboxes[id]?.megabytes = megabytes
    }

    private func size(_ function: Int?, _ tier: Tier) -> Double {
        switch tier {
        case .none, .bare: costs.bareMB
        case .runtime: costs.runtimeMB
        case .ready: function.map { trace.units[$0].memoryMB } ?? costs.bareMB
        }
    }

    private func broken(_ what: String, _ now: Int64) -> ReplayError {
        .unsuitable(
            reason: "the pool broke its rules at \(Format.fixed(Double(now) / 1e6, 3)) s: \(what); this is a defect")
    }
}

/// A sandbox as the world knows it.
private struct WorldSandbox {
    var function: Int?
    /// Reached.
    var tier: Tier
    /// On its way to.
    var target: Tier?
    var megabytes: Double
    var isBusy = false
    var isFrozen = false
    /// A dispatch at the same instant waits for the thaw.
    var thawedAt: Int64?
}
