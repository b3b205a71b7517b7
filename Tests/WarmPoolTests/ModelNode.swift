import WarmPool

/// A tiny simulated executor: it carries effects out, answers with events after random delays and failures, and holds
/// its own account of every sandbox and request, against which each effect is checked.
struct ModelNode: ~Copyable {
    struct Sandbox {
        enum Phase { case starting, idle, running, demoting, evicting }
        var function: FunctionID?
        var image: ImageID
        var runtime: RuntimeClass
        var generation: UInt64
        var phase: Phase
        var tier: Tier
        var target: Tier
        var isFrozen = false
        var request: RequestID?
        /// Bytes that it can hold: its function's limit when it was started.
        var limit = Int.max
        var measured = 0
        var charge = 0
    }

    struct Request {
        enum Phase { case waiting, running, ended }
        var function: FunctionID
        var phase = Phase.waiting
        var arrival: Instant
    }

    struct Function {
        var spec: FunctionSpec
        var isDeleted = false
        var waiting = 0
    }

    struct Scheduled {
        var time: Instant
        var order: Int
        var event: Event
    }

    var pool: Pool
    var random: SplitMix
    var now = Instant.zero
    var agenda: [Scheduled] = []
    var order = 0
    var sandboxes: [SandboxID: Sandbox] = [:]
    var requests: [RequestID: Request] = [:]
    var functions: [FunctionID: Function] = [:]
    var wake: Instant?
    var violations: [String] = []
    var lastID: UInt64 = 0
    /// Memory came that the pool was not asked for: by adoption or growth.
    var isOverByOthers = false
    var tape: [(Event, Instant)] = []
    var effects: [Effect] = []
    var allEffects: [Effect] = []
    var keepsTape = false
    var failurePercent = 8
    var mostStart = Nanoseconds.milliseconds(200)
    var mostService = Nanoseconds.milliseconds(300)
    var dispatched = 0
    var rejected: [RequestID: RejectReason] = [:]
    var startKinds: [StartKind] = []
    var longestWait = Nanoseconds.zero
    var drained = 0

    init(_ configuration: Configuration, seed: UInt64) throws {
        pool = try Pool(configuration)
        random = SplitMix(seed: seed)
    }

    mutating func later(_ delay: Nanoseconds, _ event: Event) {
        order += 1
        // A binary heap by time, then by order of entry.
        agenda.append(Scheduled(time: now + delay, order: order, event: event))
        var at = agenda.count - 1
        while at > 0, Self.precedes(agenda[at], agenda[(at - 1) / 2]) {
            agenda.swapAt(at, (at - 1) / 2)
            at = (at - 1) / 2
        }
    }

    private static func precedes(_ a: Scheduled, _ b: Scheduled) -> Bool {
        a.time != b.time ? a.time < b.time : a.order < b.order
    }

    private mutating func popAgenda() -> Scheduled {
        let first = agenda[0]
        let last = agenda.removeLast()
        guard !agenda.isEmpty else { return first }
        agenda[0] = last
        var at = 0
        while true {
            var down = 2 * at + 1
            guard down < agenda.count else { break }
            if down + 1 < agenda.count, Self.precedes(agenda[down + 1], agenda[down]) { down += 1 }
            guard Self.precedes(agenda[down], agenda[at]) else { break }
            agenda.swapAt(at, down)
            at = down
        }
        return first
    }

    /// Carries out the next thing due, an event or the wake; false where there is none before `limit`.
    mutating func step(until limit: Instant) -> Bool {
        let due = agenda.first?.time ?? .distantFuture
        if let wake, wake <= due {
            guard wake <= limit else { return false }
            self.wake = nil
            now = max(now, wake)
            send(.tick)
            return true
        }
        guard due <= limit, !agenda.isEmpty else { return false }
        let next = popAgenda()
        now = max(now, next.time)
        send(next.event)
        return true
    }

    mutating func run(until limit: Instant) {
        while step(until: limit) {}
        now = max(now, limit)
    }

    mutating func fail(_ text: String) {
        if violations.count < 5 { violations.append("at \(now.nanoseconds): \(text)") }
    }

    mutating func send(_ event: Event) {
        if keepsTape { tape.append((event, now)) }
        observe(event)
        effects.removeAll(keepingCapacity: true)
        pool.handle(event, at: now, into: &effects)
        if keepsTape { allEffects += effects }
        if effects.isEmpty, case .tick = event { return }
        let todo = effects
        for effect in todo { carryOut(effect) }
        checkBudget()
    }

    func liveSandboxes(_ function: FunctionID) -> Int {
        sandboxes.values.count { $0.function == function && $0.phase != .evicting && $0.phase != .demoting }
    }

    /// What the model itself knows from an event before the pool answers it.
    private mutating func observe(_ event: Event) {
        switch event {
        case .functionRegistered(let spec):
            if functions[spec.id].map(\.isDeleted) ?? true { functions[spec.id] = Function(spec: spec) }
        case .functionUpdated(let spec):
            if let old = functions[spec.id], !old.isDeleted, spec.generation >= old.spec.generation {
                functions[spec.id]?.spec = spec
            }
        case .functionDeleted(let id): functions[id]?.isDeleted = true
        case .requestArrived(let id, let function, _, _):
            guard requests[id] == nil else { return }
            requests[id] = Request(function: function, arrival: now)
            functions[function]?.waiting += 1
        case .requestCancelled(let id):
            if requests[id]?.phase == .waiting { end(id) }
        case .sandboxReady(let id, let tier, _, let memory):
            guard let box = sandboxes[id], box.phase == .starting || box.phase == .demoting else { return }
            if box.phase == .starting, tier > box.tier, tier < box.target { sandboxes[id]?.tier = tier }
            guard tier == box.target else { return }
            if box.phase == .demoting { sandboxes[id]?.function = nil }
            sandboxes[id]?.phase = .idle
            sandboxes[id]?.tier = tier
            if box.phase == .demoting { sandboxes[id]?.limit = .max }
            setMeasured(id, memory)
            if let held = sandboxes[id]?.charge, held > box.charge { isOverByOthers = true }
        case .sandboxFailed(let id, _), .sandboxGone(let id): sandboxes[id] = nil
        case .invocationEnded(let request, let id, _, let memory):
            guard let box = sandboxes[id], box.phase == .running, box.request == request else { return }
            sandboxes[id]?.phase = .idle
            sandboxes[id]?.request = nil
            setMeasured(id, memory)
            requests[request]?.phase = .ended
        case .memorySample(let id, let bytes):
            guard let box = sandboxes[id] else { return }
            if box.phase == .idle, bytes > box.measured { isOverByOthers = true }
            if box.phase == .idle || box.phase == .running { setMeasured(id, bytes) }
            if pool.configuration.runningCharge == .measured { isOverByOthers = true }
        case .adopt(let adopted):
            guard sandboxes[adopted.sandbox] == nil else { return }
            isOverByOthers = true
            lastID = max(lastID, adopted.sandbox.rawValue)
            sandboxes[adopted.sandbox] = Sandbox(
                function: adopted.tier == .ready ? adopted.function : nil, image: adopted.image,
                runtime: adopted.runtime, generation: adopted.generation, phase: .idle, tier: adopted.tier,
                target: adopted.tier, isFrozen: adopted.isFrozen && adopted.tier == .ready)
            if adopted.tier == .ready, let function = adopted.function, let known = functions[function],
                !known.isDeleted
            {
                sandboxes[adopted.sandbox]?.limit = known.spec.memoryLimit
            }
            setMeasured(adopted.sandbox, adopted.memory)
        default: break
        }
    }

    private mutating func setMeasured(_ id: SandboxID, _ bytes: Int) {
        let limit = sandboxes[id]?.limit ?? 0
        let bytes = min(max(bytes, 0), limit == .max ? pool.configuration.memoryBudget : limit)
        sandboxes[id]?.measured = bytes
        let isIdle = sandboxes[id]?.phase == .idle
        if isIdle { sandboxes[id]?.charge = max(bytes, pool.configuration.minimumCharge) }
    }

    private mutating func end(_ id: RequestID) {
        guard let request = requests[id] else { return }
        if request.phase == .waiting { functions[request.function]?.waiting -= 1 }
        requests[id]?.phase = .ended
    }

    private func starting(_ function: FunctionID) -> Int {
        sandboxes.values.count { $0.function == function && $0.phase == .starting }
    }

    private mutating func checkStart(_ function: FunctionID, _ generation: UInt64, _ weight: StartWeight) {
        guard let known = functions[function], !known.isDeleted else { return fail("start for no function") }
        if generation != known.spec.generation { fail("start of an old generation") }
        let bound = known.spec.maxConcurrency > 0 ? known.spec.maxConcurrency : pool.configuration.defaultMaxConcurrency
        if liveSandboxes(function) > bound { fail("more sandboxes than maxConcurrency") }
        if weight == .live, starting(function) > known.waiting {
            fail("\(starting(function)) starts under way for \(known.waiting) waiting requests")
        }
    }

    // MARK: Effects

    mutating func carryOut(_ effect: Effect) {
        switch effect {
        case .create(let creation):
            if creation.sandbox.rawValue <= lastID { fail("sandbox id \(creation.sandbox) is not new") }
            lastID = creation.sandbox.rawValue
            let limit = creation.function.flatMap { functions[$0]?.spec.memoryLimit }
            sandboxes[creation.sandbox] = Sandbox(
                function: creation.function, image: creation.image, runtime: creation.runtime,
                generation: creation.generation, phase: .starting, tier: .none, target: creation.tier,
                limit: limit ?? .max,
                charge: limit
                    ?? (creation.tier == .bare ? pool.configuration.bareMemory : pool.configuration.runtimeMemory))
            if let function = creation.function { checkStart(function, creation.generation, creation.weight) }
            answerStart(creation.sandbox, creation.tier)
        case .promote(let id, let function, let generation, let tier, let weight):
            guard let box = sandboxes[id], box.phase == .idle, box.tier < tier, box.function == nil else {
                return fail("promotes \(id), which is not idle at a lower tier")
            }
            if box.image != functions[function]?.spec.image { fail("promotes a sandbox of another image") }
            sandboxes[id]?.function = function
            sandboxes[id]?.generation = generation
            sandboxes[id]?.phase = .starting
            sandboxes[id]?.target = tier
            sandboxes[id]?.limit = functions[function]?.spec.memoryLimit ?? 0
            sandboxes[id]?.charge = functions[function]?.spec.memoryLimit ?? 0
            checkStart(function, generation, weight)
            answerStart(id, tier)
        case .raise(let id): if sandboxes[id]?.phase != .starting { fail("raises \(id), which is not starting") }
        case .dispatch(let request, let id, let kind, let waited): dispatch(request, id, kind, waited)
        case .interrupt(let request, let id):
            if requests[request]?.phase != .running { fail("interrupts a request that does not run") }
            later(
                random.time(upTo: .milliseconds(5)), .invocationEnded(request, sandbox: id, reusable: false, memory: 0))
        case .lost(let request, _):
            if requests[request]?.phase != .running { fail("loses a request that does not run") }
            requests[request]?.phase = .ended
        case .reject(let request, let reason, _):
            if requests[request]?.phase != .waiting { fail("rejects a request that does not wait: \(reason)") }
            end(request)
            rejected[request] = reason
        case .freeze(let id):
            if sandboxes[id]?.phase != .idle || sandboxes[id]?.isFrozen != false { fail("freezes \(id)") }
            sandboxes[id]?.isFrozen = true
        case .thaw(let id):
            if sandboxes[id]?.isFrozen != true { fail("thaws \(id), which is not frozen") }
            sandboxes[id]?.isFrozen = false
        case .reclaim(let id):
            if sandboxes[id]?.isFrozen != true { fail("reclaims \(id), which is not frozen") }
            later(.milliseconds(1), .memorySample(id, bytes: 1 << 20))
        case .demote(let id, let tier):
            guard let box = sandboxes[id], box.phase == .idle, !box.isFrozen else { return fail("demotes \(id)") }
            sandboxes[id]?.phase = .demoting
            sandboxes[id]?.target = tier
            answerStart(id, tier)
        case .evict(let id, let reason):
            guard let box = sandboxes[id], box.phase == .idle || box.phase == .starting else {
                return fail("evicts \(id) (\(reason)) that is \(String(describing: sandboxes[id]?.phase))")
            }
            sandboxes[id]?.phase = .evicting
            later(random.time(upTo: .milliseconds(20)), .sandboxGone(id))
        case .wake(let instant):
            if instant < now { fail("wakes in the past") }
            wake = instant
        case .drained: drained += 1
        case .record: break
        }
    }

    private mutating func dispatch(_ request: RequestID, _ id: SandboxID, _ kind: StartKind, _ waited: Nanoseconds) {
        guard let asked = requests[request], asked.phase == .waiting else {
            return fail("dispatches \(request), which does not wait")
        }
        guard let box = sandboxes[id], box.phase == .idle, box.tier == .ready else {
            return fail("dispatches to \(id), which is not ready and idle")
        }
        if box.isFrozen { fail("dispatches to a frozen sandbox") }
        if box.function != asked.function { fail("dispatches to another function's sandbox") }
        if let known = functions[asked.function], known.isDeleted || box.generation != known.spec.generation {
            fail("dispatches to old code")
        }
        if waited != now - asked.arrival { fail("wait is told as \(waited)") }
        longestWait = max(longestWait, waited)
        functions[asked.function]?.waiting -= 1
        requests[request]?.phase = .running
        sandboxes[id]?.phase = .running
        sandboxes[id]?.request = request
        sandboxes[id]?.charge = box.limit
        dispatched += 1
        startKinds.append(kind)
        let limit = functions[asked.function]?.spec.memoryLimit ?? 1
        let service = random.time(upTo: mostService)
        if random.chance(30) { later(.zero, .invocationStarted(request, sandbox: id)) }
        if random.chance(failurePercent) {
            if random.chance(50) {
                // Its start failed after all, or it died.
                later(service, random.chance(30) ? .sandboxFailed(id, stage: .sandbox) : .sandboxGone(id))
            } else {
                later(service, .invocationEnded(request, sandbox: id, reusable: false, memory: limit))
            }
        } else {
            later(
                service, .invocationEnded(request, sandbox: id, reusable: true, memory: random.below(limit) / 2))
        }
    }

    private mutating func answerStart(_ id: SandboxID, _ tier: Tier) {
        let took = random.time(upTo: mostStart)
        let limit = sandboxes[id]?.function.flatMap { functions[$0]?.spec.memoryLimit } ?? 4 << 20
        if random.chance(failurePercent) {
            let stages: [StartStage] = [.sandbox, .runtime, .load, .warmUp]
            later(
                took,
                random.chance(70) ? .sandboxFailed(id, stage: stages[random.below(4)]) : .sandboxGone(id))
            return
        }
        if tier == .ready, random.chance(20) {
            later(
                Nanoseconds(took.value / 2), .sandboxReady(id, tier: .bare, startCost: .zero, memory: 1 << 20))
        }
        later(took, .sandboxReady(id, tier: tier, startCost: took, memory: 1 + random.below(limit) / 2))
    }

    private mutating func checkBudget() {
        let threshold = pool.threshold.threshold
        let settings = pool.configuration.threshold
        if threshold < settings.minimum || threshold > settings.maximum { fail("threshold \(threshold) out of bounds") }
        guard pool.configuration.runningCharge == .limit else { return }
        var held = 0
        var ending = 0
        for box in sandboxes.values {
            held += box.charge
            if box.phase == .evicting { ending += box.charge }
        }
        if held - ending > pool.configuration.memoryBudget { fail("over budget for good: \(held - ending)") }
        let told = pool.charged
        if held != told { fail("charged \(told), but the model holds \(held)") }
        if held > pool.configuration.memoryBudget, !isOverByOthers { fail("over budget: \(held)") }
    }
}
