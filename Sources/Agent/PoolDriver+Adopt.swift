import Linux
import Logging
import Sandbox
import WarmPool

/// What became of the sandboxes that an earlier hearthd left.
struct AdoptionReport: Equatable, Sendable {
    var adopted = 0
    /// Ended, by reason.
    var ended: [String: Int] = [:]
}

/// Sandboxes of an earlier hearthd: into the pool where they are what a new one would be, else ended.
extension PoolDriver {
    /// Takes sandboxes over; their functions must be registered before.
    func adopt(_ kept: [KeptSandbox]) -> AdoptionReport {
        var report = AdoptionReport()
        var generations: [UInt64: FunctionID] = [:]
        for (id, function) in functions { generations[function.generation] = id }
        // In the order of their numbers, so that a restart gives the same pool each time.
        for sandbox in kept.sorted(by: { $0.sandbox.id < $1.sandbox.id }) {
            if let reason = adopt(sandbox, generations) {
                report.ended[reason, default: 0] += 1
                sandbox.sandbox.kill()
            } else {
                report.adopted += 1
            }
        }
        return report
    }

    func holdShelves(_ hold: Bool) {
        policy.holdShelves(hold)
        if !hold { handle(.tick) }
    }

    /// - Returns: why it is not taken over; nil if it was.
    private func adopt(_ kept: KeptSandbox, _ generations: [UInt64: FunctionID]) -> String? {
        guard let tag = SandboxTag(kept.tag) else { return "it was not ready, or a client's run" }
        guard tag.posture == environment.posture else { return "it was made with other profiles or runtimes" }
        guard !environment.restart.wasRunning(kept.sandbox.id) else { return "it ran an invocation" }
        // Stale code never answers: the generation is of the function's present code, or the sandbox goes.
        let id = tag.tier == .ready ? generations[tag.generation] : nil
        let function = id.flatMap { functions[$0] }
        guard tag.tier < .ready || function != nil else { return "its function was changed or deleted" }
        // Two names may stand for one image: the function's own is the one that counts.
        let image = function?.image ?? environment.imageName(kept.image)
        guard let image, (try? environment.imageHandle(image)) == kept.image else { return "its image was changed" }
        guard
            let sandbox = FunctionSandbox.adopt(
                id: nextAdopted, function: function, image: image, kept: kept, tag: tag, environment: environment,
                owner: self)
        else { return "what was kept of it is not whole" }
        sandboxes[sandbox.id] = sandbox
        handle(
            .adopt(
                AdoptedSandbox(
                    sandbox: SandboxID(sandbox.id), tier: sandbox.tier, image: self.image(sandbox.base),
                    runtime: sandbox.launch.flatMap(runtimeClass) ?? RuntimeClass(0), function: id,
                    generation: function?.generation ?? 0, memory: sandbox.memoryEstimate(), uses: sandbox.served,
                    isFrozen: sandbox.state == .frozen)))
        return nil
    }

    /// The policy numbers its sandboxes from 1, and goes on above those that it adopts.
    private var nextAdopted: UInt64 { (sandboxes.keys.max() ?? 0) + 1 }
}

extension PoolDriver {
    /// Ends every invocation that is under way as `agent_restarted`, and the sandboxes that run one.
    func endInFlight() {
        let result = InvocationResult(
            outcome: .agentRestarted,
            failure: FailureDetail(
                type: "AgentRestarted", message: "hearthd was replaced before the invocation had ended",
                hint: "connect again; send it again if doing it twice is harmless"))
        for id in running.keys.sorted() {
            guard let sandbox = running[id], let invocation = sandbox.current else { continue }
            sandbox.current = nil
            sandbox.conclude(invocation, result, reusable: false)
        }
        for id in waiting.keys.sorted() { waiting.removeValue(forKey: id)?.end(result) }
    }
}
