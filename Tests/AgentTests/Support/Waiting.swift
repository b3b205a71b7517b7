package import HearthClient
package import Wire

/// Gives a test an agent of its own; what is wrong about its end, or left behind, fails the test.
package func withAgent<Value>(
    _ configuration: String, _ body: (TestAgent, HearthClient) throws -> Value
) throws -> Value {
    let agent = try TestAgent(configuration: configuration)
    let value: Value
    do {
        value = try body(agent, try agent.client())
    } catch {
        let log = agent.log
        _ = agent.stop()
        throw TestFailure("\(error); the agent's log: \(log.suffix(2000))")
    }
    let problems = agent.stop()
    guard problems.isEmpty else { throw TestFailure("after the test: \(problems)") }
    return value
}

extension HearthClient {
    /// A figure of `stats` by its name.
    package func gauge(_ name: String) throws -> Double {
        let gauges = try stats().gauges
        guard let gauge = gauges.first(where: { $0.name == name }) else {
            throw TestFailure("no gauge \(name); there are \(gauges.map(\.name))")
        }
        return gauge.value
    }

    /// Sandboxes that wait: of a function, or with an empty name those of no function, at a tier.
    package func idle(_ tier: HearthTier, function: String = "") throws -> [HearthSandboxInfo] {
        try listSandboxes(function: function).filter {
            $0.tier == tier && ($0.state == "idle" || $0.state == "frozen") && $0.function == function
        }
    }

    /// Waits until that many wait. The CPU time of what nobody waits for is what others leave, so on a busy machine this takes long.
    package func waitForIdle(_ count: Int, _ tier: HearthTier, function: String = "") throws {
        try eventually(
            "\(count) idle at \(tier) for '\(function)': \((try? listSandboxes()) ?? [])", within: 90
        ) { try idle(tier, function: function).count >= count }
    }
}
