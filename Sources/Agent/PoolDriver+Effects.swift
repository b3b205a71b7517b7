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
        case .evict(let sandbox, let reason):
            if let function = sandboxes[sandbox.rawValue] {
                function.reason = "ending: \(reason)"
                function.end()
            } else {
                handle(.sandboxGone(sandbox))
            }
        case .freeze(let sandbox): setFrozen(sandbox.rawValue, true)
        case .thaw(let sandbox): setFrozen(sandbox.rawValue, false)
        case .reclaim(let sandbox):
            guard let function = sandboxes[sandbox.rawValue] else { return }
            function.sandbox.reclaim(function.sandbox.memoryInUse())
            handle(.memorySample(sandbox, bytes: Int(function.sandbox.memoryInUse())))
        case .demote(let sandbox, _):
            // A loaded function cannot be unloaded from its process: the sandbox goes.
            sandboxes[sandbox.rawValue]?.end()
        case .promote(let sandbox, _, _, _, _), .raise(let sandbox):
            // Every start is begun for its function, at full weight: there is nothing to promote or to raise.
            logger.debug("an effect without use here", metadata: ["sandbox": "\(sandbox.rawValue)"])
        case .wake(let at):
            wake?.cancel()
            wake = Reactor.shared.schedule(at: at.nanoseconds) { [weak self] in self?.handle(.tick) }
        case .drained: onDrained?()
        case .record(let record): onRecord?(record)
        }
    }

    func create(_ creation: Creation) {
        guard let id = creation.function, let function = functions[id], function.generation == creation.generation
        else {
            return handle(.sandboxFailed(creation.sandbox, stage: .sandbox))
        }
        do throws(AgentError) {
            let sandbox = try FunctionSandbox(
                id: creation.sandbox.rawValue, function: function, environment: environment, owner: self)
            sandbox.reason = creation.weight == .live ? "a request waited for it" : "prefetched"
            sandboxes[sandbox.id] = sandbox
        } catch {
            startFailures[id] = InvocationResult(
                outcome: .initFailed,
                failure: FailureDetail(type: "SandboxError", message: error.message, hint: error.remedy))
            handle(.sandboxFailed(creation.sandbox, stage: .sandbox))
        }
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
