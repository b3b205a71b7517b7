import Logging
import WarmPool

/// What sandboxes tell of themselves becomes events.
extension PoolDriver: FunctionSandboxOwner {
    func functionSandboxReady(_ sandbox: FunctionSandbox) {
        handle(
            .sandboxReady(
                SandboxID(sandbox.id), tier: .ready,
                startCost: Nanoseconds(sandbox.functionReadyAt - sandbox.created), memory: sandbox.memoryEstimate()))
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
        if let failure, let id = identifiers[sandbox.function.name] {
            startFailures[id] = failure
            logger.notice(
                "a function did not start",
                metadata: [
                    "function": "\(sandbox.function.name)", "outcome": "\(failure.outcome.rawValue)",
                    "error": "\(failure.failure?.message ?? "")",
                ])
            handle(.sandboxFailed(SandboxID(sandbox.id), stage: sandbox.sandboxReadyAt == 0 ? .sandbox : .load))
        } else {
            handle(.sandboxGone(SandboxID(sandbox.id)))
        }
    }
}
