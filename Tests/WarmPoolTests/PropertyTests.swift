import Testing
import WarmPool

#if canImport(Glibc)
    import Glibc
#endif

/// Random event sequences against the model executor. `HEARTH_PROPERTY_RUNS` sets how
/// many; 4,000 take about 15 s of one CPU in a debug build.
@Suite struct PropertyTests {
    static let runs = getenv("HEARTH_PROPERTY_RUNS").flatMap { Int(String(cString: $0)) } ?? 4_000

    /// Four parts, so that they run beside each other.
    @Test(arguments: 0..<4)
    func randomSequences(part: Int) throws {
        for run in 0..<Self.runs / 4 {
            let seed = UInt64(part * 1_000_000 + run)
            let violations = try Scenario.run(seed: seed)
            try #require(violations.isEmpty, "seed \(seed): \(violations)")
        }
    }

    /// Busy functions of all sizes under little memory, few places and CPUs, no deadlines, no failures: everybody is
    /// served, and fairly.
    @Test func nobodyStarves() throws {
        for seed in UInt64(0)..<100 {
            var random = SplitMix(seed: seed)
            var settings = Configuration(memoryBudget: 256 << 20)
            settings.cpuBudget = random.chance(50) ? 2000 : 0
            settings.maxSandboxes = 2 + random.below(6)
            settings.maxLiveStarts = 1 + random.below(4)
            settings.runningCharge = random.chance(50) ? .limit : .measured
            settings.patience = .milliseconds(500)
            settings.defaultQueueTime = .seconds(1000)
            settings.maxQueued = 100_000
            settings.maxQueuePerFunction = 100_000
            var node = try ModelNode(settings, seed: seed)
            node.failurePercent = 0
            let functions = 2 + random.below(8)
            for id in 0..<functions {
                var spec = Scenario.spec(id, generation: 1, &random)
                spec.memoryLimit = (id == 0 ? 250 : 20 + random.below(100)) << 20
                spec.milliCPU = id == 0 ? 2000 : 500
                spec.minReady = id == 1 ? 1 : 0
                spec.weight = 1
                node.send(.functionRegistered(spec))
            }
            // Every ended request of the busy functions is followed by the next, so that they never fall idle.
            var next: UInt64 = 0
            let end = Instant.zero + .seconds(20)
            while node.now < end {
                for id in 1..<functions where node.functions[FunctionID(UInt32(id))]?.waiting ?? 0 < 3 {
                    next += 1
                    node.send(
                        .requestArrived(
                            RequestID(next), function: FunctionID(UInt32(id)), user: .unknown, deadline: .distantFuture)
                    )
                }
                if random.chance(5) {
                    next += 1
                    node.send(
                        .requestArrived(
                            RequestID(next), function: FunctionID(0), user: .unknown, deadline: .distantFuture))
                }
                node.run(until: node.now + .milliseconds(40))
            }
            // Whoever waits long in this crowd has had as much service as the others; but for function 1, to
            // which its floor gives a place of its own.
            var service: [Double] = []
            for id in 2..<max(functions, 2) {
                let id = FunctionID(UInt32(id))
                service.append(Double(node.pool.function(id)?.counters.starts.reduce(0, +) ?? 0))
            }
            let most = service.max() ?? 0
            var behind: [Int] = []
            for (index, share) in service.enumerated() {
                let isOld = node.requests.values.contains {
                    $0.function.rawValue == UInt32(index + 2) && $0.phase == .waiting
                        && node.now - $0.arrival > .seconds(5)
                }
                if isOld, share < 0.5 * most - 3 { behind.append(index + 2) }
            }
            node.run(until: node.now + .seconds(900))
            try #require(node.violations.isEmpty, "seed \(seed): \(node.violations)")
            try #require(node.rejected.isEmpty, "seed \(seed): \(node.rejected.first.map { "\($0)" } ?? "")")
            try #require(node.dispatched == Int(next), "seed \(seed): \(node.dispatched) of \(next) were served")
            try #require(behind.isEmpty, "seed \(seed): \(behind) are behind in \(service)")
        }
    }

    @Test func sameEventsGiveTheSameEffects() throws {
        for seed in UInt64(0)..<60 {
            let (tape, effects, configuration) = try Scenario.record(seed: seed)
            var again = try Pool(configuration)
            var replayed: [Effect] = []
            for (event, time) in tape { again.handle(event, at: time, into: &replayed) }
            try #require(effects == replayed, "seed \(seed)")
        }
    }
}

/// One random story: settings, functions, a stretch of everything at once, then quiet.
enum Scenario {
    static func run(seed: UInt64) throws -> [String] {
        var node = try ModelNode(configuration(seed), seed: seed)
        play(&node)
        return node.violations
    }

    static func record(seed: UInt64) throws -> ([(Event, Instant)], [Effect], Configuration) {
        let configuration = configuration(seed)
        var node = try ModelNode(configuration, seed: seed)
        node.keepsTape = true
        play(&node)
        return (node.tape, node.allEffects, configuration)
    }

    static func configuration(_ seed: UInt64) -> Configuration {
        var random = SplitMix(seed: seed ^ 0xc0ff_ee)
        var settings = Configuration(memoryBudget: (64 + random.below(512)) << 20)
        settings.maxLiveStarts = 1 + random.below(8)
        settings.maxBackgroundStarts = random.below(4)
        settings.maxSandboxes = 2 + random.below(20)
        settings.maxQueuePerFunction = 1 + random.below(30)
        settings.cpuBudget = random.chance(50) ? 0 : 1000 * (1 + random.below(6))
        settings.keepAlive = .seconds(Int64(1 + random.below(60)))
        settings.freezeAfter = random.chance(70) ? .milliseconds(Int64(random.below(500))) : nil
        settings.reclaimAfter = random.chance(40) ? .seconds(Int64(1 + random.below(5))) : nil
        settings.patience = .milliseconds(Int64(random.below(1000)))
        settings.maxUses = random.chance(20) ? 1 + random.below(4) : 0
        settings.evictionPolicy = EvictionPolicyName.allCases[random.below(3)]
        settings.runningCharge = random.chance(75) ? .limit : .measured
        settings.liveWhileOpen = random.chance(70) ? .mayTry : .failFast
        settings.forecastEndsKeepAlive = random.chance(30)
        settings.threshold.interval = .milliseconds(500)
        settings.threshold.minimumSamples = 3
        settings.breaker.firstBackoff = .milliseconds(100)
        settings.breaker.maxBackoff = .seconds(40)
        if random.chance(40) { settings.barePool = 1 + random.below(2) }
        if random.chance(40) { settings.runtimePool = 1 + random.below(2) }
        settings.runtimeMemory = 8 << 20
        if random.chance(30) { settings.demoteTo = settings.barePool > 0 ? .bare : .runtime }
        return settings
    }

    static func spec(_ id: Int, generation: UInt64, _ random: inout SplitMix) -> FunctionSpec {
        FunctionSpec(
            id: FunctionID(UInt32(id)), generation: generation, image: ImageID(UInt32(id % 2)),
            runtime: RuntimeClass(UInt16(id % 3)), hasRuntimeTier: id % 4 != 3,
            memoryLimit: (8 + random.below(120)) << 20,
            milliCPU: 250 * random.below(9), minReady: random.chance(15) ? 1 : 0, maxConcurrency: random.below(6),
            keepAlive: random.chance(30) ? .seconds(Int64(random.below(20))) : nil,
            weight: random.chance(20) ? 4 : 1)
    }

    static func play(_ node: inout ModelNode) {
        var random = SplitMix(seed: node.random.next())
        node.failurePercent = [0, 5, 25][random.below(3)]
        let functions = 1 + random.below(5)
        var generation: UInt64 = 1
        for id in 0..<functions { node.send(.functionRegistered(spec(id, generation: generation, &random))) }
        var lastRequest: UInt64 = 0
        for _ in 0..<(20 + random.below(60)) {
            let id = FunctionID(UInt32(random.below(functions)))
            let box = SandboxID(UInt64(random.below(Int(node.lastID) + 2)))
            let request = RequestID(UInt64(random.below(Int(lastRequest) + 2)))
            switch random.below(100) {
            case 0..<45:
                for _ in 0..<(random.chance(10) ? 1 + random.below(12) : 1) {
                    lastRequest += 1
                    let deadline: Instant =
                        random.chance(50) ? .distantFuture : node.now + random.time(upTo: .seconds(4))
                    node.send(
                        .requestArrived(RequestID(lastRequest), function: id, user: .unknown, deadline: deadline))
                }
            case 45..<50: node.send(.requestCancelled(request))
            case 50..<53:
                generation += 1
                node.send(.functionUpdated(spec(Int(id.rawValue), generation: generation, &random)))
            case 53..<55: node.send(.functionDeleted(id))
            case 55..<58:
                generation += 1
                node.send(.functionRegistered(spec(Int(id.rawValue), generation: generation, &random)))
            case 58..<68:
                node.send(
                    .predictions([
                        Prediction(
                            function: id, probability: random.unit(), due: node.now + random.time(upTo: .seconds(2)),
                            horizon: random.time(upTo: .seconds(20)), expectedCount: 1 + random.below(3),
                            source: random.chance(70) ? .forecast : .seasonal)
                    ]))
            case 68..<71: node.send(plan(node.now, functions, &random))
            case 71..<74:
                node.send(
                    .prefetchRequested(
                        id, count: 1 + random.below(3), tier: random.chance(20) ? .bare : nil,
                        ttl: random.time(upTo: .seconds(10)), confidence: random.unit()))
            case 74..<76:
                node.send(
                    .triggerFired(
                        id, probability: random.unit(), count: 1, delay: random.time(upTo: .seconds(1)),
                        ttl: .seconds(2)))
            case 76..<79:
                let levels: [MemoryPressure] = [.none, .none, .moderate, .critical]
                node.send(.memoryPressure(levels[random.below(4)]))
            case 79..<82: sample(&node, box, &random)
            case 82..<84: node.send(.evictRequested(random.chance(30) ? .all : .function(id)))
            case 84..<86: adopt(&node, id, &random)
            case 86..<95: malformed(&node, box, request, &random)
            default: node.send(.tick)
            }
            node.run(until: node.now + random.time(upTo: .milliseconds(600)))
        }
        node.send(.memoryPressure(.none))
        if random.chance(20) {
            node.send(.drain(keepSandboxes: random.chance(50)))
            node.run(until: node.now + .seconds(100))
            if node.drained != 1 { node.fail("drained \(node.drained) times") }
        }
        finish(&node, functions)
    }

    /// Lets everything come to rest: nothing may be left.
    private static func finish(_ node: inout ModelNode, _ functions: Int) {
        node.run(until: node.now + .seconds(100))
        for (id, request) in node.requests where request.phase != .ended {
            node.fail("request \(id.rawValue) never ended: \(request.phase)")
        }
        for id in 0..<functions { node.send(.functionDeleted(FunctionID(UInt32(id)))) }
        node.run(until: node.now + .seconds(200))
        let end = node.pool.snapshot()
        if !node.sandboxes.isEmpty || end.charged != 0 || end.queued + end.running + end.idle != 0
            || end.liveStarts + end.backgroundStarts + end.evicting + end.milliCPU != 0
            || end.tiers.contains(where: { $0.sandboxes != 0 })
        {
            node.fail("left over: \(node.sandboxes) \(end)")
        }
        if node.pool.hasResidue { node.fail("residue") }
    }

    private static func plan(_ now: Instant, _ functions: Int, _ random: inout SplitMix) -> Event {
        let entries = (0..<(1 + random.below(4))).map { _ in
            PlanEntry(
                function: FunctionID(UInt32(random.below(functions + 1))), confidence: random.unit(),
                windowStart: random.time(upTo: .seconds(2)), windowEnd: random.time(upTo: .seconds(10)),
                count: 1 + random.below(2), tier: random.chance(20) ? .runtime : nil, priority: random.below(5) - 2,
                reservedMilliCPU: random.below(1000), reservedMemory: random.below(64 << 20))
        }
        return .planReceived(
            Plan(
                generation: UInt64(now.nanoseconds / 1_000_000) + UInt64(random.below(3)),
                ttl: random.time(upTo: .seconds(20)), entries: entries))
    }

    private static func sample(_ node: inout ModelNode, _ box: SandboxID, _ random: inout SplitMix) {
        let limit = node.sandboxes[box]?.function.flatMap { node.functions[$0]?.spec.memoryLimit } ?? 1 << 20
        node.send(.memorySample(box, bytes: random.below(limit)))
    }

    private static func adopt(_ node: inout ModelNode, _ id: FunctionID, _ random: inout SplitMix) {
        let generation = node.functions[id].map(\.spec.generation) ?? 1
        let tier = [Tier.bare, .runtime, .ready, .ready][random.below(4)]
        node.send(
            .adopt(
                AdoptedSandbox(
                    sandbox: SandboxID(node.lastID + 1 + UInt64(random.below(3))), tier: tier,
                    image: ImageID(id.rawValue % 2), runtime: RuntimeClass(UInt16(id.rawValue % 3)), function: id,
                    generation: random.chance(80) ? generation : 0, memory: random.below(8 << 20),
                    isFrozen: random.chance(50))))
    }

    /// Events that fit nothing, come twice or come late.
    private static func malformed(
        _ node: inout ModelNode, _ box: SandboxID, _ request: RequestID, _ random: inout SplitMix
    ) {
        let nobody = FunctionID(99)
        let phase = node.sandboxes[box]?.phase
        switch random.below(13) {
        case 0: node.send(.sandboxReady(SandboxID(1 << 60), tier: .ready, startCost: .zero, memory: -1))
        case 1: if phase == .idle || phase == .running { node.send(.sandboxFailed(box, stage: .load)) }
        case 2: node.send(.sandboxGone(SandboxID(1 << 61)))
        case 3: node.send(.invocationStarted(RequestID(1 << 60), sandbox: box))
        case 4: node.send(.invocationEnded(RequestID(1 << 60), sandbox: box, reusable: true, memory: -5))
        case 5: if phase == .evicting { node.send(.sandboxReady(box, tier: .ready, startCost: .zero, memory: 5)) }
        case 6: node.send(.functionDeleted(nobody))
        case 7:
            node.send(
                .predictions([
                    Prediction(function: nobody, probability: .nan, due: .distantFuture, horizon: .max),
                    Prediction(
                        function: FunctionID(0), probability: .nan, due: .distantFuture, horizon: Nanoseconds(-5)),
                    Prediction(
                        function: FunctionID(0), probability: .infinity, due: .distantFuture, horizon: .max,
                        expectedCount: .max),
                ]))
        case 8: node.send(.sandboxReady(box, tier: .none, startCost: Nanoseconds(-1), memory: .max))
        case 9:
            node.send(.prefetchRequested(nobody, count: .max, tier: Tier.none, ttl: .max, confidence: .nan))
        case 10:
            // A request that was ended comes to its end again.
            node.send(.invocationEnded(request, sandbox: SandboxID(1 << 60), reusable: false, memory: .max))
        case 11:
            // One that waits ends by itself, of a function or of none.
            if phase == .idle {
                let isStart = node.random.chance(30)
                node.send(isStart ? .sandboxFailed(box, stage: .sandbox) : .sandboxGone(box))
            }
        default:
            if let phase = node.requests[request]?.phase, phase != .ended {
                node.send(.requestArrived(request, function: FunctionID(0), user: .unknown, deadline: .zero))
            }
        }
    }
}
