import WarmPool

/// The agent's own pool under replay.
struct HearthPool: PoolMachine, ~Copyable {
    private var pool: Pool

    /// A pool for `budgetMB` that is otherwise bound by memory alone, as the policies it is compared with are: no limit
    /// on starts at once or on queueing, and idle sandboxes stay until their memory is worth more elsewhere.
    init(budgetMB: Double, costs: NodeCosts) throws(ReplayError) {
        var settings = Configuration(memoryBudget: Int(budgetMB * 1_048_576))
        settings.maxSandboxes = 1 << 20
        settings.maxLiveStarts = 1 << 20
        settings.maxBackgroundStarts = 64
        settings.defaultMaxConcurrency = 1 << 20
        settings.maxQueuePerFunction = 1 << 20
        settings.maxQueued = 1 << 20
        settings.defaultQueueTime = .minutes(7 * 1440)
        settings.keepAlive = .minutes(7 * 1440)
        settings.minimumCharge = Int(costs.bareMB * 1_048_576)
        settings.bareMemory = Int(costs.bareMB * 1_048_576)
        settings.runtimeMemory = Int(costs.runtimeMB * 1_048_576)
        settings.bareStartCost = Nanoseconds(costs.step(to: .bare) * 1000)
        settings.runtimeStartCost = Nanoseconds(costs.step(to: .runtime) * 1000)
        do {
            pool = try Pool(settings)
        } catch {
            throw .badOption(name: "budget", reason: "\(error)")
        }
    }

    mutating func handle(_ event: Event, at now: Instant, into effects: inout [Effect]) {
        pool.handle(event, at: now, into: &effects)
    }

    var prefetchThreshold: Double? { pool.threshold.threshold }
}
