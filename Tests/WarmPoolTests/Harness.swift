import WarmPool

/// A pool driven by hand: events at chosen milliseconds, effects as they come.
struct Harness: ~Copyable {
    var pool: Pool
    var milliseconds: Int64 = 0
    private var lastRequest: UInt64 = 0

    init(megabytes: Int = 1024, _ change: (inout Configuration) -> Void = { _ in }) throws {
        var settings = Configuration(memoryBudget: megabytes << 20)
        settings.freezeAfter = nil
        change(&settings)
        pool = try Pool(settings)
    }

    @discardableResult
    mutating func send(_ event: Event, at time: Int64? = nil) -> [Effect] {
        if let time { milliseconds = time }
        return pool.handle(event, at: Instant(nanoseconds: milliseconds * 1_000_000))
    }

    @discardableResult
    mutating func register(
        _ id: UInt32, megabytes: Int = 100, generation: UInt64 = 1, minReady: Int = 0, maxConcurrency: Int = 0,
        milliCPU: Int = 1000, keepAlive: Nanoseconds? = nil, weight: Double = 1, image: UInt32 = 0,
        cold: Int64 = 150
    ) -> [Effect] {
        send(
            .functionRegistered(
                Self.spec(
                    id, megabytes: megabytes, generation: generation, minReady: minReady,
                    maxConcurrency: maxConcurrency, milliCPU: milliCPU, keepAlive: keepAlive, weight: weight,
                    image: image, cold: cold)))
    }

    static func spec(
        _ id: UInt32, megabytes: Int = 100, generation: UInt64 = 1, minReady: Int = 0, maxConcurrency: Int = 0,
        milliCPU: Int = 1000, keepAlive: Nanoseconds? = nil, weight: Double = 1, image: UInt32 = 0, cold: Int64 = 150
    ) -> FunctionSpec {
        FunctionSpec(
            id: FunctionID(id), generation: generation, image: ImageID(image), memoryLimit: megabytes << 20,
            milliCPU: milliCPU, minReady: minReady, maxConcurrency: maxConcurrency, keepAlive: keepAlive,
            weight: weight, startCosts: StartCosts(fromNone: .milliseconds(cold)))
    }

    /// A request with an id of its own.
    @discardableResult
    mutating func request(_ function: UInt32, at time: Int64? = nil, deadline: Int64? = nil) -> [Effect] {
        lastRequest += 1
        let until = deadline.map { Instant(nanoseconds: $0 * 1_000_000) } ?? .distantFuture
        return send(
            .requestArrived(RequestID(lastRequest), function: FunctionID(function), user: .unknown, deadline: until),
            at: time)
    }

    @discardableResult
    mutating func ready(
        _ sandbox: UInt64, _ tier: Tier = .ready, megabytes: Int = 20, took: Int64 = 100, at time: Int64? = nil
    ) -> [Effect] {
        send(
            .sandboxReady(
                SandboxID(sandbox), tier: tier, startCost: .milliseconds(took), memory: megabytes << 20), at: time)
    }

    @discardableResult
    mutating func end(
        _ request: UInt64, in sandbox: UInt64, reusable: Bool = true, megabytes: Int = 20, at time: Int64? = nil
    ) -> [Effect] {
        send(
            .invocationEnded(
                RequestID(request), sandbox: SandboxID(sandbox), reusable: reusable, memory: megabytes << 20),
            at: time)
    }

    @discardableResult
    mutating func gone(_ sandbox: UInt64, at time: Int64? = nil) -> [Effect] {
        send(.sandboxGone(SandboxID(sandbox)), at: time)
    }

    @discardableResult
    mutating func predict(
        _ function: UInt32, _ probability: Double, in delay: Int64 = 0, for horizon: Int64 = 60_000, count: Int = 1,
        at time: Int64? = nil
    ) -> [Effect] {
        if let time { milliseconds = time }
        return send(
            .predictions([
                Prediction(
                    function: FunctionID(function), probability: probability,
                    due: Instant(nanoseconds: (milliseconds + delay) * 1_000_000), horizon: .milliseconds(horizon),
                    expectedCount: count)
            ]))
    }

    /// One sandbox of the function, idle and used once: sandbox `sandbox`, at the present time.
    mutating func warm(_ function: UInt32, megabytes: Int = 20) -> UInt64 {
        let effects = request(function)
        let sandbox = effects.created.first?.sandbox.rawValue ?? 0
        ready(sandbox, megabytes: megabytes)
        end(lastRequest, in: sandbox, megabytes: megabytes)
        return sandbox
    }

    var latestRequest: UInt64 { lastRequest }
}

extension [Effect] {
    var created: [Creation] {
        compactMap { if case .create(let creation) = $0 { creation } else { nil } }
    }
    var createdIDs: [UInt64] { created.map(\.sandbox.rawValue) }
    var dispatched: [(request: UInt64, sandbox: UInt64, start: StartKind)] {
        compactMap {
            if case .dispatch(let request, let sandbox, let start, _) = $0 {
                (request.rawValue, sandbox.rawValue, start)
            } else {
                nil
            }
        }
    }
    var evicted: [UInt64] {
        compactMap { if case .evict(let sandbox, _) = $0 { sandbox.rawValue } else { nil } }
    }
    var rejected: [RejectReason] {
        compactMap { if case .reject(_, let reason, _) = $0 { reason } else { nil } }
    }
    var records: [Record] {
        compactMap { if case .record(let record) = $0 { record } else { nil } }
    }
    var wake: Int64? {
        var last: Int64?
        for case .wake(let instant) in self { last = instant.nanoseconds / 1_000_000 }
        return last
    }
    func evicted(_ reason: EvictionReason) -> Int {
        filter { if case .evict(_, reason) = $0 { true } else { false } }.count
    }
}
