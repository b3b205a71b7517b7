import Linux
import Logging
import Sandbox
import WarmPool
import Wire

/// What the policy wants done, done.
extension PoolDriver {
    func apply(_ effect: Effect) {
        switch effect {
        case .create(let creation): create(creation)
        case .dispatch(let request, let sandbox, let start, _): dispatch(request.rawValue, sandbox.rawValue, start)
        case .interrupt(let request, let sandbox): interrupt(request.rawValue, sandbox.rawValue)
        case .lost(let request, _):
            // The invocation was concluded when its sandbox ended; nothing is left to say.
            running[request.rawValue] = nil
        case .reject(let request, let reason, let wait): reject(request.rawValue, reason, wait)
        case .evict(let sandbox, _):
            if let known = sandboxes[sandbox.rawValue] { known.evict() } else { handle(.sandboxGone(sandbox)) }
        case .freeze(let sandbox): setFrozen(sandbox.rawValue, true)
        case .thaw(let sandbox): setFrozen(sandbox.rawValue, false)
        case .reclaim(let sandbox):
            guard let function = sandboxes[sandbox.rawValue] else { return }
            function.sandbox.reclaim(function.sandbox.memoryInUse())
            handle(.memorySample(sandbox, bytes: Int(function.sandbox.memoryInUse())))
        case .demote(let sandbox, _):
            // Its process holds the function's code and data, its /tmp, its group's pages and its PID 1's seal are that function's too:
            // what cannot be proved clean goes, and the shelf below is filled with a new one.
            sandboxes[sandbox.rawValue]?.evict()
        case .promote(let sandbox, let function, let generation, _, let weight):
            promote(sandbox.rawValue, function, generation, weight)
        case .raise(let sandbox): sandboxes[sandbox.rawValue]?.raise()
        case .wake(let at):
            wake?.cancel()
            wake = Reactor.shared.schedule(at: at.nanoseconds) { [weak self] in self?.handle(.tick) }
        case .drained: onDrained?()
        case .record(let record): onRecord?(record)
        }
    }

    func create(_ creation: Creation) {
        let function = creation.function.flatMap { functions[$0] }
        guard let base = bases[creation.image],
            creation.function == nil || function?.generation == creation.generation
        else {
            return handle(.sandboxFailed(creation.sandbox, stage: .sandbox))
        }
        let launch: RuntimeLaunch? =
            if let function { environment.launch(of: function) } else if creation.tier == .runtime {
                launches[creation.runtime]
            } else { nil }
        do throws(AgentError) {
            let sandbox = try FunctionSandbox(
                id: creation.sandbox.rawValue, base: base, launch: launch, function: function, target: creation.tier,
                background: creation.weight == .background, environment: environment, owner: self)
            sandboxes[sandbox.id] = sandbox
        } catch {
            let failure = InvocationResult(
                outcome: .initFailed,
                failure: FailureDetail(type: "SandboxError", message: error.message, hint: error.remedy))
            if let id = creation.function { startFailures[id] = failure }
            report(failure, function: function, tier: creation.tier, stage: .sandbox)
            handle(.sandboxFailed(creation.sandbox, stage: .sandbox))
        }
    }

    private func promote(_ id: UInt64, _ function: FunctionID, _ generation: UInt64, _ weight: StartWeight) {
        // One that ended meanwhile: its end is on the way to the policy and answers this.
        guard let sandbox = sandboxes[id], sandbox.state == .idle else { return }
        guard let record = functions[function], record.generation == generation else { return sandbox.evict() }
        sandbox.promote(to: record, background: weight == .background)
    }

    func setFrozen(_ id: UInt64, _ frozen: Bool) {
        guard let function = sandboxes[id] else { return }
        do {
            if frozen {
                try function.sandbox.freeze()
                function.state = .frozen
                // It has rested for a while: what it holds now is what keeping it costs.
                function.sampledMemory = function.sandbox.memoryInUse()
                handle(.memorySample(SandboxID(id), bytes: function.memoryEstimate()))
            } else {
                try function.sandbox.thaw()
                function.state = .idle
            }
        } catch {
            logger.warning(
                "cannot freeze or thaw", metadata: ["sandbox": "\(function.sandbox.name)", "error": "\(error)"])
            function.end()
        }
    }
}
