import Foundation
import Testing

@testable import Replay
@testable import WarmPool

private func eventTrace(_ requests: [(ms: Int64, unit: Int32, runMs: Int32)], memoryMB: [Double]) -> EventTrace {
    let units = memoryMB.enumerated().map { index, megabytes in
        TraceUnit(
            id: "f\(index)", app: "", owner: "", trigger: "", memoryMB: megabytes,
            activity: [ActiveMinute(minute: 0, value: 1)])
    }
    let invocations = requests.map { Invocation(startMs: $0.ms, unit: $0.unit, user: -1, durationMs: $0.runMs) }
    let minutes = Int((requests.map(\.ms).max() ?? 0) / 60_000) + 1
    return EventTrace(
        Trace(
            name: "tiny", resolution: .invocations, minutes: minutes, originMinute: 0, units: units,
            invocations: invocations, users: []), costs: NodeCosts(), seed: 1)
}

/// Cold start 100 ms, dispatch 1 ms.
private var simpleCosts: NodeCosts {
    var costs = NodeCosts()
    costs.createMs = 10
    costs.bindMs = 0
    costs.runtimeMs = 40
    costs.loadMs = 49
    costs.dispatchMs = 1
    return costs
}

/// Random requests for property tests.
private func randomTrace(seed: UInt64) -> EventTrace {
    var random = SeededGenerator(seed: seed)
    var requests: [(ms: Int64, unit: Int32, runMs: Int32)] = []
    for _ in 0..<400 {
        requests.append(
            (
                ms: Int64.random(in: 0..<600_000, using: &random), unit: Int32.random(in: 0..<8, using: &random),
                runMs: Int32.random(in: 1...5000, using: &random)
            ))
    }
    requests.sort { $0.ms < $1.ms }
    return eventTrace(requests, memoryMB: (0..<8).map { _ in Double.random(in: 10...100, using: &random) })
}

@Suite struct KeepAliveSimulatorTests {
    private func run(
        _ trace: EventTrace, _ rule: KeepAliveSimulator.Rule, _ budget: Double
    ) -> EventOutcome {
        KeepAliveSimulator.run(trace, rule, costs: simpleCosts, budgetMB: budget, policy: "")
    }

    @Test func coldThenWarmThenColdAlongside() {
        // The third request comes while the sandbox is busy: a second one is made.
        let trace = eventTrace([(0, 0, 50), (1000, 0, 50), (1020, 0, 50)], memoryMB: [100])
        let outcome = run(trace, .evict(.lru), 1000)
        #expect(outcome.starts == [2, 0, 0, 0, 1])
        #expect(outcome.peakMB == 200)
        #expect(abs(outcome.latency.quantile(1) - 100_000) < 3000)
        #expect(abs(outcome.latency.mean - (100_000 + 1000 + 100_000) / 3) < 1)
    }

    @Test func aFullMemoryMakesRequestsWait() {
        // Room for one: the second function waits until the first is done (100 + 50 ms), evicts it and starts cold.
        let trace = eventTrace([(0, 0, 50), (10, 1, 50)], memoryMB: [100, 100])
        let outcome = run(trace, .evict(.lru), 100)
        #expect(outcome.queued == 1 && outcome.evicted == 1)
        #expect(abs(outcome.latency.quantile(1) - 240_000) < 6000)
    }

    @Test func aWaitingRequestTakesItsFunctionsFreeSandbox() {
        // Room for one function: its second request waits and then finds the sandbox warm.
        let trace = eventTrace([(0, 0, 50), (10, 0, 50)], memoryMB: [100])
        let outcome = run(trace, .evict(.lru), 100)
        #expect(outcome.starts == [1, 0, 0, 0, 1] && outcome.queued == 1)
    }

    @Test func fixedKeepAliveKillsInTime() {
        let trace = eventTrace([(0, 0, 0), (30_000, 0, 0), (100_000, 0, 0)], memoryMB: [100])
        let outcome = run(trace, .fixed(keepUs: 60_000_000), 1000)
        #expect(outcome.starts == [2, 0, 0, 0, 1])
        // Idle 29.9 s, then 60 s, then to the end of the trace at 120 s.
        #expect(abs(outcome.idleMBus / 100e6 - (29.9 + 60 + 19.9)) < 0.1)
    }

    @Test func requestsLeftWaitingAreRejected() {
        // Larger than the budget and alone it runs; beside another it never can while that one runs on.
        let trace = eventTrace([(0, 0, 100)], memoryMB: [500])
        #expect(run(trace, .evict(.lru), 100).starts[0] == 1)
    }

    @Test func theClairvoyantKeepsWhatComesSoonest() {
        // Room for two: c comes while a and b idle. a is used again before b, so b must go, although used last.
        let trace = eventTrace(
            [(0, 0, 0), (1000, 1, 0), (2000, 2, 0), (3000, 0, 0), (9000, 1, 0)], memoryMB: [100, 100, 100])
        #expect(run(trace, .evict(.belady), 200).cold == [1, 2, 1])
        #expect(run(trace, .evict(.lru), 200).cold == [2, 2, 1])
    }

    @Test func everyRequestIsServedOnce() {
        let seed = UInt64.random(in: 0...UInt64.max)
        let trace = randomTrace(seed: seed)
        for rule in EvictionRule.allCases {
            for budget in [60.0, 150, 400, 1e6] {
                let outcome = run(trace, .evict(rule), budget)
                #expect(outcome.starts.reduce(0, +) + outcome.rejected == trace.requests.count, "seed \(seed)")
                #expect(outcome.peakMB <= max(budget, 100) + 1e-6, "seed \(seed)")
                #expect(outcome.created == outcome.starts[0], "seed \(seed)")
            }
        }
    }
}

/// A pool that makes sandboxes on demand and evicts the least recently used, as `KeepAliveSimulator` does with `.lru`.
private struct OnDemandPool: PoolMachine {
    let budget: Double
    let sizes: [Double]
    private var idle: [(sandbox: SandboxID, unit: Int)] = []
    private var owner: [SandboxID: (unit: Int, request: RequestID)] = [:]
    private var waiting: [(request: RequestID, unit: Int)] = []
    private var used = 0.0
    private var nextID: UInt64 = 0
    let prefetchThreshold: Double? = 0.5

    init(budget: Double, sizes: [Double]) {
        self.budget = budget
        self.sizes = sizes
    }

    mutating func handle(_ event: Event, at now: Instant, into effects: inout [Effect]) {
        switch event {
        case .requestArrived(let request, let function, _, _):
            let unit = Int(function.rawValue)
            if !waiting.isEmpty || !start(request, unit, &effects) { waiting.append((request, unit)) }
        case .sandboxReady(let sandbox, .ready, _, _):
            guard let request = owner[sandbox]?.request else { return }
            effects.append(.dispatch(request, sandbox: sandbox, start: .cold, waited: .zero))
        case .invocationEnded(_, let sandbox, _, _):
            idle.append((sandbox, owner[sandbox]?.unit ?? 0))
            var left: [(request: RequestID, unit: Int)] = []
            var blocked = false
            for waiter in waiting {
                if !blocked || idle.contains(where: { $0.unit == waiter.unit }) {
                    if start(waiter.request, waiter.unit, &effects) { continue }
                    blocked = true
                }
                left.append(waiter)
            }
            waiting = left
        default: break
        }
    }

    private mutating func start(_ request: RequestID, _ unit: Int, _ effects: inout [Effect]) -> Bool {
        if let index = idle.lastIndex(where: { $0.unit == unit }) {
            let sandbox = idle.remove(at: index).sandbox
            effects.append(.dispatch(request, sandbox: sandbox, start: .warm, waited: .zero))
            return true
        }
        while used + sizes[unit] > budget && used > 0 {
            guard !idle.isEmpty else { return false }
            let victim = idle.removeFirst()
            used -= sizes[victim.unit]
            effects.append(.evict(victim.sandbox, .makeRoom))
        }
        used += sizes[unit]
        nextID += 1
        let sandbox = SandboxID(nextID)
        owner[sandbox] = (unit, request)
        effects.append(.create(creation(sandbox, unit, .ready)))
        return true
    }
}

private func creation(_ sandbox: SandboxID, _ unit: Int, _ tier: Tier) -> Creation {
    let function = tier == .ready ? FunctionID(UInt32(unit)) : nil
    return Creation(
        sandbox: sandbox, image: ImageID(0), runtime: RuntimeClass(0), function: function, generation: 1, tier: tier,
        weight: .live)
}

@Suite struct PoolWorldTests {
    @Test func agreesWithTheSimulatorOnTheSamePolicy() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        let trace = randomTrace(seed: seed)
        for budget in [80.0, 150, 300, 1e6] {
            let expected = KeepAliveSimulator.run(
                trace, .evict(.lru), costs: simpleCosts, budgetMB: budget, policy: "")
            let found = try PoolWorld.run(
                trace, OnDemandPool(budget: budget, sizes: trace.units.map(\.memoryMB)), costs: simpleCosts,
                budgetMB: budget, policy: "")
            #expect(found.starts == expected.starts, "seed \(seed) budget \(budget)")
            #expect(found.cold == expected.cold, "seed \(seed) budget \(budget)")
            #expect(found.latency.quantile(0.95) == expected.latency.quantile(0.95), "seed \(seed) budget \(budget)")
            #expect(abs(found.heldMBus / expected.heldMBus - 1) < 0.002, "seed \(seed) budget \(budget)")
        }
    }

    /// Does what it is told: a list of effects for each event but registrations.
    private struct Scripted: PoolMachine {
        var script: [[Effect]]
        let prefetchThreshold: Double? = nil
        mutating func handle(_ event: Event, at now: Instant, into effects: inout [Effect]) {
            if case .functionRegistered = event { return }
            if !script.isEmpty { effects += script.removeFirst() }
        }
    }

    private func run(
        _ requests: [(ms: Int64, unit: Int32, runMs: Int32)], _ script: [[Effect]]
    ) throws -> EventOutcome {
        try PoolWorld.run(
            eventTrace(requests, memoryMB: [100, 100]), Scripted(script: script), costs: simpleCosts, budgetMB: 1000,
            policy: "")
    }

    private func dispatch(_ request: UInt64, _ sandbox: UInt64, _ kind: StartKind) -> Effect {
        .dispatch(RequestID(request), sandbox: SandboxID(sandbox), start: kind, waited: .zero)
    }

    @Test func tiersTakeTheirTime() throws {
        // A runtime sandbox is made at the first request (10 + 40 ms) and serves nothing; the second promotes it.
        let outcome = try run(
            [(0, 0, 10), (1000, 0, 10)],
            [
                [.create(creation(SandboxID(1), 0, .runtime)), .create(creation(SandboxID(2), 0, .ready))],
                [], [],  // both bare at 10 ms
                [], [],  // both runtime at 50 ms
                [dispatch(0, 2, .cold)],  // 2 ready at 99 ms
                [],  // request 0 ended
                [.promote(SandboxID(1), function: FunctionID(0), generation: 1, to: .ready, weight: .live)],
                [dispatch(1, 1, .runtime)],
            ])
        #expect(outcome.starts == [1, 0, 1, 0, 0])
        // 99 + 1 ms and 49 + 1 ms.
        #expect(abs(outcome.latency.mean - 75_000) < 1)
        #expect(outcome.peakMB == 200)
    }

    @Test func frozenSandboxesThawAndReclaimedOnesShrink() throws {
        let outcome = try run(
            [(0, 0, 10), (5000, 0, 10)],
            [
                [.create(creation(SandboxID(1), 0, .ready))], [], [],
                [dispatch(0, 1, .cold)],
                [.freeze(SandboxID(1)), .reclaim(SandboxID(1))],
                [],  // the sample
                [.thaw(SandboxID(1)), dispatch(1, 1, .warm)],
            ])
        #expect(outcome.starts == [1, 0, 0, 0, 1])
        // 0.2 ms to thaw, 1 ms to dispatch.
        #expect(abs(outcome.latency.quantile(0.5) - 1200) < 30)
        // 100 MB for the start of 99 ms, 30 MB idle from 0.11 s to 5 s, and 100 MB after the second request.
        #expect(abs(outcome.idleMBus / 1e6 - (9.9 + 30 * 4.89 + 100 * 54.989)) < 1)
    }

    @Test func brokenRulesAreDefectsNotResults() throws {
        let unknown = SandboxID(7)
        #expect(throws: ReplayError.self) { try run([(0, 0, 1)], [[dispatch(0, 7, .warm)]]) }
        #expect(throws: ReplayError.self) { try run([(0, 0, 1)], [[.evict(unknown, .makeRoom)]]) }
        #expect(throws: ReplayError.self) {
            try run([(0, 0, 1)], [[.create(creation(unknown, 0, .bare)), .create(creation(unknown, 0, .bare))]])
        }
        #expect(throws: ReplayError.self) {
            // Sandbox 7 is made for function 1.
            try run([(0, 0, 1)], [[.create(creation(unknown, 1, .ready))], [], [], [dispatch(0, 7, .cold)]])
        }
    }

    @Test func requestsNeverAnsweredCountAsRejected() throws {
        #expect(try run([(0, 0, 1), (1, 0, 1)], []).rejected == 2)
    }
}

@Suite struct StartHistogramTests {
    @Test func quantilesAreWithinAFewPercent() {
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = SeededGenerator(seed: seed)
        var values: [Int64] = []
        var histogram = StartHistogram()
        for _ in 0..<5000 {
            let value = Int64(exp2(Double.random(in: 0...36, using: &random)))
            values.append(value)
            histogram.add(value)
        }
        values.sort()
        for quantile in [0.01, 0.5, 0.95, 0.99, 1] {
            let exact = Double(values[Int((quantile * 5000).rounded(.up)) - 1])
            #expect(abs(histogram.quantile(quantile) / exact - 1) < 0.023, "seed \(seed) at \(quantile)")
        }
        #expect(StartHistogram().quantile(0.5) == 0)
    }
}

@Suite struct SizingTests {
    @Test func theAdviceMeetsTheTargetAndLittleLessDoesNot() throws {
        let replay = EventReplay(randomTrace(seed: 11), costs: simpleCosts)
        let spec = try PolicySpec("greedy-dual:100%")
        let target = SizingTarget.coldShare(0.3)
        let advice = try SizingAdvice.smallest(replay, spec, target)
        let outcome = try #require(advice.outcome)
        #expect(SizingAdvice.meets(outcome, target))
        #expect(!SizingAdvice.meets(try replay.run(spec, budgetMB: outcome.budgetMB * 0.9), target))
        let impossible = try SizingAdvice.smallest(replay, spec, .coldShare(0.001))
        #expect(impossible.outcome == nil)
    }

    @Test func targetsAreParsed() throws {
        #expect(try SizingTarget("p95=50ms") == .p95Start(milliseconds: 50))
        #expect(try SizingTarget("cold=1%") == .coldShare(0.01))
        for text in ["", "p95", "p95=50", "cold=2", "cold=0%", "cold=101%", "x=1%"] {
            #expect(throws: ReplayError.self) { try SizingTarget(text) }
        }
    }

    @Test func costsAreReadAndChecked() throws {
        let folder = try TemporaryFolder()
        let good = try folder.write("costs.json", #"{"create_ms": 2.5, "runtime_mb": 50}"#)
        let costs = try NodeCosts(path: good)
        #expect(costs.createMs == 2.5 && costs.runtimeMB == 50 && costs.loadMs == NodeCosts().loadMs)
        for text in [
            #"{"creat_ms": 1}"#, #"{"create_ms": -1}"#, #"{"reclaimed_share": 2}"#, "[]", #"{"create_ms":"x"}"#,
        ] {
            let path = try folder.write("bad.json", text)
            #expect(throws: ReplayError.self) { try NodeCosts(path: path) }
        }
    }
}

@Suite struct EventTraceTests {
    @Test func countsSpreadOverTheirMinuteDeterministically() {
        let trace = Trace(
            name: "", resolution: .counts, minutes: 2, originMinute: 0,
            units: [
                TraceUnit(
                    id: "f", app: "", owner: "", trigger: "",
                    durations: DurationPercentiles(points: [
                        .init(percentile: 0, milliseconds: 10), .init(percentile: 100, milliseconds: 20),
                    ]), activity: [ActiveMinute(minute: 1, value: 50)])
            ], invocations: [], users: [])
        let first = EventTrace(trace, costs: NodeCosts(), seed: 5)
        let second = EventTrace(trace, costs: NodeCosts(), seed: 5)
        #expect(first.requests.map(\.arrival) == second.requests.map(\.arrival))
        #expect(first.requests.count == 50)
        #expect(first.requests.allSatisfy { $0.arrival >= 60_000_000 && $0.arrival < 120_000_000 })
        #expect(first.requests.allSatisfy { $0.run >= 10_000 && $0.run <= 20_000 })
        #expect(EventTrace(trace, costs: NodeCosts(), seed: 6).requests.map(\.arrival) != first.requests.map(\.arrival))
    }

    @Test func concurrencyKeepsItsBusyTime() {
        let trace = Trace(
            name: "", resolution: .concurrency, minutes: 1, originMinute: 0,
            units: [
                TraceUnit(
                    id: "f", app: "", owner: "", trigger: "", activity: [ActiveMinute(minute: 0, value: 1.5)])
            ], invocations: [], users: [])
        let events = EventTrace(trace, costs: NodeCosts(), seed: 5)
        #expect(events.requests.map(\.run) == [45_000_000, 45_000_000])
        #expect(events.requests.allSatisfy { $0.arrival + $0.run <= 60_000_000 })
    }
}
