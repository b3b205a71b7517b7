import Logging
import Sandbox
import WarmPool

/// What sandboxes tell of themselves becomes events.
extension PoolDriver: FunctionSandboxOwner {
    func functionSandboxReady(_ sandbox: FunctionSandbox) {
        // Without a function nobody has waited for its start: its cost is what the policy is configured with.
        let end = sandbox.tier == .ready ? sandbox.functionReadyAt : sandbox.startBegan
        // A request that waits goes in at once, and what runs is charged by its limit: it need not wait for files to be read. The
        // sample is taken when it has ended.
        let isAwaited = sandbox.tier == .ready && !sandbox.sandbox.isBackground
        handle(
            .sandboxReady(
                SandboxID(sandbox.id), tier: sandbox.tier, startCost: Nanoseconds(end - sandbox.startBegan),
                memory: isAwaited ? 0 : sandbox.memoryEstimate()))
    }

    func functionSandbox(_ sandbox: FunctionSandbox, ended invocation: Invocation, reusable: Bool) {
        running[invocation.id] = nil
        handle(
            .invocationEnded(
                RequestID(invocation.id), sandbox: SandboxID(sandbox.id), reusable: reusable,
                memory: sandbox.memoryEstimate()))
    }

    func functionSandboxEnded(_ sandbox: FunctionSandbox, failure: InvocationResult?) {
        sandboxes[sandbox.id] = nil
        guard let failure else { return handle(.sandboxGone(SandboxID(sandbox.id))) }
        if let function = sandbox.function, let id = identifiers[function.name],
            functions[id]?.generation == function.generation
        {
            startFailures[id] = failure
        }
        report(failure, function: sandbox.function, tier: sandbox.target, stage: sandbox.failedStage)
        handle(.sandboxFailed(SandboxID(sandbox.id), stage: sandbox.failedStage))
    }

    /// A start that failed is told to whoever runs the node, also when no request waited for it.
    func report(_ failure: InvocationResult, function: FunctionRecord?, tier: Tier, stage: StartStage) {
        let what = function.map { "'\($0.name)'" } ?? "a sandbox of the tier \(tier)"
        let reason = "\(failure.failure?.type ?? ""): \(failure.failure?.message ?? failure.outcome.rawValue)"
        logger.notice("\(what) did not start", metadata: ["stage": "\(stage)", "error": "\(reason)"])
        onStartFailed?(function?.name ?? "", "\(what) did not start (\(stage)): \(reason)")
    }

    /// Why the pool has the sandbox, in words.
    func reason(for sandbox: FunctionSandbox) -> String {
        guard let explanation = policy.explain(SandboxID(sandbox.id)) else { return "ending" }
        guard sandbox.function == nil, let launch = sandbox.launch else { return "\(explanation)" }
        return "\(launch.runtime.rawValue), \(explanation)"
    }
}
