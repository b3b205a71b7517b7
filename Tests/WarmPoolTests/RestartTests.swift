import Testing
import WarmPool

@Suite struct RestartTests {
    private func adopted(_ sandbox: UInt64, generation: UInt64 = 1, function: UInt32 = 1) -> Event {
        .adopt(
            AdoptedSandbox(
                sandbox: SandboxID(sandbox), tier: .ready, image: ImageID(0), function: FunctionID(function),
                generation: generation, memory: 20 << 20, isFrozen: true))
    }

    @Test func aSandboxOfTheRunBeforeServesOn() throws {
        var node = try Harness()
        node.register(1)
        #expect(node.send(adopted(41)).evicted.isEmpty)
        let effects = node.request(1, at: 10)
        #expect(effects.first == .thaw(SandboxID(41)))
        #expect(effects.dispatched.map(\.start) == [.warm])
        // Ids go on above it.
        #expect(node.request(1, at: 11).createdIDs == [42] || node.send(.tick, at: 1000).createdIDs == [42])
    }

    @Test func staleOrUnknownOnesEnd() throws {
        var node = try Harness()
        node.register(1, generation: 2)
        #expect(node.send(adopted(5)).contains(.evict(SandboxID(5), .notAdopted)))
        #expect(node.send(adopted(6, function: 9)).contains(.evict(SandboxID(6), .notAdopted)))
        #expect(node.send(adopted(6)).records == [.ignored(.duplicateSandbox)])
        node.gone(5)
        node.gone(6)
        #expect(node.pool.charged == 0)
    }

    @Test func drainsAndSaysSo() throws {
        var node = try Harness()
        node.register(1)
        _ = node.warm(1)
        node.request(1)
        let effects = node.send(.drain(keepSandboxes: false))
        #expect(!effects.contains(.drained))
        #expect(node.request(1).rejected == [.draining])
        #expect(node.end(2, in: 1).evicted == [1])
        #expect(node.gone(1).contains(.drained))
        #expect(!node.send(.tick).contains(.drained))
    }

    @Test func drainForAnUpgradeKeepsTheWarmSet() throws {
        var node = try Harness()
        node.register(1)
        _ = node.warm(1)
        let effects = node.send(.drain(keepSandboxes: true))
        #expect(effects.contains(.drained))
        #expect(effects.evicted.isEmpty)
    }
}
