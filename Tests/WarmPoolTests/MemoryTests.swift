import Testing
import WarmPool

@Suite struct MemoryTests {
    @Test func runningIsChargedByLimitAndIdleByMeasurement() throws {
        var node = try Harness()
        node.register(1, megabytes: 100)
        node.request(1, at: 0)
        #expect(node.pool.charged == 100 << 20)
        node.ready(1, megabytes: 20, at: 100)
        #expect(node.pool.charged == 100 << 20)
        node.end(1, in: 1, megabytes: 30, at: 110)
        #expect(node.pool.charged == 30 << 20)
        node.send(.memorySample(SandboxID(1), bytes: 10 << 20))
        #expect(node.pool.charged == 10 << 20)
    }

    @Test func chargesByMeasurementWhereSoConfigured() throws {
        var node = try Harness { $0.runningCharge = .measured }
        node.register(1, megabytes: 100)
        _ = node.warm(1, megabytes: 20)
        node.request(1, at: 1000)
        #expect(node.pool.charged < 60 << 20)
    }

    @Test func makesRoomByEvictingIdleSandboxesAndWaitsUntilTheyAreGone() throws {
        var node = try Harness(megabytes: 250)
        node.register(1, megabytes: 200)
        node.register(2, megabytes: 200)
        let idle = node.warm(1, megabytes: 100)
        let effects = node.request(2, at: 1000)
        #expect(effects.contains(.evict(SandboxID(idle), .makeRoom)))
        #expect(effects.created.isEmpty)
        #expect(node.gone(idle, at: 1010).created.map(\.function) == [FunctionID(2)])
    }

    @Test func neverEvictsWhatRuns() throws {
        var node = try Harness(megabytes: 250)
        node.register(1, megabytes: 200)
        node.register(2, megabytes: 200)
        node.request(1, at: 0)
        node.ready(1, at: 100)
        #expect(node.request(2, at: 200).evicted.isEmpty)
        #expect(node.pool.sandbox(SandboxID(1))?.state == .running)
        #expect(node.send(.tick, at: 9000).evicted.isEmpty)
        // Once it ends, the one that waited longest has its turn.
        #expect(node.end(1, in: 1, megabytes: 100, at: 9010).evicted == [1])
        #expect(node.gone(1, at: 9020).created.map(\.function) == [FunctionID(2)])
    }

    @Test func aLargeFunctionIsNotStarvedByASmallBusyOne() throws {
        var node = try Harness(megabytes: 300) { $0.patience = .milliseconds(500) }
        node.register(1, megabytes: 100, maxConcurrency: 3)
        node.register(2, megabytes: 300)
        var running: [(request: UInt64, sandbox: UInt64)] = []
        for _ in 0..<3 { node.request(1, at: 0) }
        for sandbox in UInt64(1)...3 {
            running += node.ready(sandbox, at: 100).dispatched.map { ($0.request, $0.sandbox) }
        }
        node.request(2, at: 110)
        // The small one always has more to do.
        for _ in 0..<400 { node.request(1, at: 120) }
        var large: [Effect] = []
        for step in 0..<300 where large.created.isEmpty {
            let (request, sandbox) = running.removeFirst()
            let effects = node.end(request, in: sandbox, at: 130 + Int64(step) * 10)
            running += effects.dispatched.map { ($0.request, $0.sandbox) }
            large += effects.evicted.isEmpty ? effects : effects + effects.evicted.flatMap { node.gone($0) }
            if running.isEmpty { break }
        }
        #expect(large.created.contains { $0.function == FunctionID(2) })
    }

    @Test func reservationsAreHeldForTheirOwner() throws {
        var node = try Harness(megabytes: 300)
        node.register(1, megabytes: 100)
        node.register(2, megabytes: 200)
        node.send(
            .planReceived(
                Plan(
                    generation: 1, ttl: .minutes(10),
                    entries: [PlanEntry(function: FunctionID(2), confidence: 0, reservedMemory: 200 << 20)])))
        #expect(node.request(1, at: 0).created.count == 1)
        #expect(node.request(1, at: 0).created.isEmpty)
        #expect(node.request(2, at: 10).created.count == 1)
    }

    @Test func reservationsBeyondTheShareAreRefused() throws {
        var node = try Harness(megabytes: 100)
        node.register(1, megabytes: 50)
        let effects = node.send(
            .planReceived(
                Plan(
                    generation: 1, ttl: .minutes(10),
                    entries: [PlanEntry(function: FunctionID(1), confidence: 0, reservedMemory: 90 << 20)])))
        #expect(effects.records.contains(.reservationRefused(FunctionID(1), memory: 90 << 20, milliCPU: 0)))
    }

    @Test func theFloorOfOneFunctionIsNotEvictedForAnother() throws {
        var node = try Harness(megabytes: 150)
        node.register(1, megabytes: 100, minReady: 1)
        node.ready(1, megabytes: 60, at: 100)
        node.register(2, megabytes: 80)
        node.request(2, at: 200)
        let created = node.pool.sandboxSnapshots().filter { $0.function == FunctionID(2) }
        // 60 + 80 fit; a second one would need the floor.
        #expect(created.count == 1)
        node.register(3, megabytes: 80)
        #expect(node.request(3, at: 210).evicted.isEmpty)
    }

    @Test func theLastRequestIsServedEvenIfOnlyAFloorHoldsItsMemory() throws {
        var node = try Harness(megabytes: 150)
        node.register(1, megabytes: 100, minReady: 1)
        node.ready(1, megabytes: 60, at: 100)
        node.register(2, megabytes: 140)
        #expect(node.request(2, at: 200).evicted == [1])
        #expect(node.gone(1, at: 210).created.first?.function == FunctionID(2))
    }

    @Test func underPressureFrozenMemoryIsReclaimedThenSandboxesEnd() throws {
        var node = try Harness()
        node.register(1)
        let idle = node.warm(1)
        let before = node.pool.threshold.threshold
        let effects = node.send(.memoryPressure(.moderate))
        #expect(effects.contains(.freeze(SandboxID(idle))))
        #expect(effects.contains(.reclaim(SandboxID(idle))))
        #expect(node.pool.threshold.threshold > before)
        #expect(node.send(.memoryPressure(.critical)).contains(.evict(SandboxID(idle), .memoryPressure)))
    }

    /// A start whose memory is still to be measured counts as its limit, and teaches nothing about what the function needs.
    @Test func whatIsNotMeasuredTeachesNothing() throws {
        var node = try Harness(megabytes: 1000) { $0.price = 0.05 }
        node.register(1, megabytes: 400)
        node.request(1, at: 0)
        node.ready(1, megabytes: 0, at: 100)
        node.end(1, in: 1, megabytes: 20, at: 200)
        #expect(node.pool.snapshot().charged == 20 << 20)
        // Of 20 MB a prefetch is worth its while, of 400 it would not be.
        node.send(.evictRequested(.all), at: 300)
        node.gone(1, at: 310)
        #expect(node.predict(1, 0.9, at: 400).created.count == 1)
        // Where nobody claims it, it is charged by its limit until it is measured.
        node.ready(2, megabytes: 0, at: 500)
        #expect(node.pool.snapshot().charged == 400 << 20)
        node.send(.memorySample(SandboxID(2), bytes: 20 << 20), at: 600)
        #expect(node.pool.snapshot().charged == 20 << 20)
    }
}
