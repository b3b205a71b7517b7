package import Testing

/// Starts an agent for a suite, `TestAgent.current` in its tests, and stops it after the last one. What is wrong about its end, or left
/// behind, is an issue of the suite.
package struct SharedAgent: SuiteTrait, TestScoping {
    // Around the suite as a whole, not around each of its tests.
    package let isRecursive = false
    /// Lines of the agent's YAML file.
    let configuration: String

    package func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
    ) async throws {
        let agent = try await start()
        do {
            try await TestAgent.$current.withValue(agent) { try await function() }
        } catch {
            _ = await stop(agent)
            throw error
        }
        for problem in await stop(agent) {
            Issue.record("after the last test: \(problem)")
        }
    }

    @TestThread
    private func start() throws -> TestAgent { try TestAgent(configuration: configuration) }

    @TestThread
    private func stop(_ agent: TestAgent) -> [String] { agent.stop() }
}

extension Trait where Self == SharedAgent {
    package static func sharedAgent(_ configuration: String) -> SharedAgent {
        SharedAgent(configuration: configuration)
    }
}
