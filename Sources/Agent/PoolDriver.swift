import Linux
import Logging
import Sandbox
import WarmPool
import Wire

/// Turns the pool's effects into sandboxes and their lives into events: the shell around the policy (DESIGN section 3).
///
/// Whatever happens becomes an event in a queue, and effects are carried out one event at a time, so an effect that fails at
/// once cannot re-enter the policy.
@LoopActor
final class PoolDriver: FunctionSandboxOwner {
    private let environment: SandboxEnvironment
    private let logger: Logger
    private var policy: Pool
    private var events: [Event] = []
    private var effects: [Effect] = []
    private var isProcessing = false
    private var wake: Reactor.Timer?

    private var functions: [FunctionID: FunctionRecord] = [:]
    private var identifiers: [String: FunctionID] = [:]
    private var nextFunction: UInt32 = 1
    private var images: [String: ImageID] = [:]
    private var waiting: [UInt64: Invocation] = [:]
    private var timedOut: Set<UInt64> = []
    private var running: [UInt64: FunctionSandbox] = [:]
    private(set) var sandboxes: [UInt64: FunctionSandbox] = [:]
    /// What the last start of a function failed with, for the requests that waited for it.
    private var startFailures: [FunctionID: InvocationResult] = [:]
    private var failedStages: [UInt64: StartStage] = [:]
    /// Every record of the policy, for the journal.
    var onRecord: (@LoopActor (Record) -> Void)?
    var onDrained: (@LoopActor () -> Void)?

    init(environment: SandboxEnvironment, configuration: Configuration, logger: Logger) throws(AgentError) {
        self.environment = environment
        self.logger = logger
        do throws(ConfigurationError) {
            policy = try Pool(configuration)
        } catch {
            throw .invalid(error.description, remedy: "correct the agent's configuration")
        }
    }

    // MARK: Functions

    func register(_ function: FunctionRecord) {
        let known = identifiers[function.name]
        let id = known ?? FunctionID(nextFunction)
        if known == nil {
            nextFunction += 1
            identifiers[function.name] = id
        }
        functions[id] = function
        startFailures[id] = nil
        let spec = FunctionSpec(
            id: id, generation: function.generation, image: image(function.image),
            memoryLimit: Int(function.memoryBytes),
            milliCPU: function.cpus == 0 ? 1000 : Int(function.cpus * 1000), minReady: function.minReady,
            maxConcurrency: function.maxConcurrency)
        handle(known == nil ? .functionRegistered(spec) : .functionUpdated(spec))
    }

    func unregister(_ name: String) {
        guard let id = identifiers.removeValue(forKey: name) else { return }
        handle(.functionDeleted(id))
        functions[id] = nil
        startFailures[id] = nil
    }

    private func image(_ name: String) -> ImageID {
        if let known = images[name] { return known }
        let id = ImageID(UInt32(images.count))
        images[name] = id
        return id
    }

    // MARK: Requests

    /// Takes an invocation; its end comes through its own handler, exactly once.
    func submit(_ invocation: Invocation, deadline: Int64?) {
        guard let id = identifiers[invocation.function.name] else {
            return invocation.end(
                Self.rejected("'\(invocation.function.name)' was deleted meanwhile", hint: "register it again"))
        }
        waiting[invocation.id] = invocation
        handle(
            .requestArrived(
                RequestID(invocation.id), function: id, user: .unknown,
                deadline: deadline.map { Instant(nanoseconds: $0) } ?? .distantFuture))
    }

    func cancel(_ invocation: Invocation, timedOut: Bool) {
        guard !invocation.hasEnded else { return }
        if timedOut { self.timedOut.insert(invocation.id) }
        handle(.requestCancelled(RequestID(invocation.id)))
        // A request that was still waiting has been forgotten by the policy; one that runs is interrupted by an effect.
        if let left = waiting.removeValue(forKey: invocation.id) {
            self.timedOut.remove(left.id)
            left.end(
                timedOut
                    ? Self.rejected("the request's deadline passed while it waited", hint: "allow more time")
                    : InvocationResult(
                        outcome: .cancelled,
                        failure: FailureDetail(type: "Cancelled", message: "the client cancelled the invocation")))
        }
    }

    func drain(keepSandboxes: Bool) { handle(.drain(keepSandboxes: keepSandboxes)) }

    var waitingCount: Int { waiting.count }
    var runningCount: Int { running.count }

    private static func rejected(_ message: String, hint: String, expectedWait: Int64 = 0) -> InvocationResult {
        var result = InvocationResult(
            outcome: .rejected, failure: FailureDetail(type: "Rejected", message: message, hint: hint))
        result.expectedWait = expectedWait
        return result
    }

    // MARK: Events and effects

    private func handle(_ event: Event) {
        events.append(event)
        guard !isProcessing else { return }
        isProcessing = true
        var next = 0
        while next < events.count {
            let event = events[next]
            next += 1
            effects.removeAll(keepingCapacity: true)
            policy.handle(event, at: Instant(nanoseconds: monotonicNow()), into: &effects)
            // By index: carrying an effect out only ever queues events, it never reaches this list.
            for index in effects.indices { apply(effects[index]) }
        }
        events.removeAll(keepingCapacity: true)
        isProcessing = false
    }

    private func apply(_ effect: Effect) {
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

    private func create(_ creation: Creation) {
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

    private func dispatch(_ request: UInt64, _ sandbox: UInt64, _ start: StartKind) {
        guard let invocation = waiting.removeValue(forKey: request) else { return }
        guard let function = sandboxes[sandbox], function.state == .idle else {
            // It died between two events; its end is on the way to the policy.
            return invocation.end(
                InvocationResult(
                    outcome: .crashed,
                    failure: FailureDetail(
                        type: "SandboxLost", message: "the sandbox ended before the request reached it",
                        hint: "send the request again")))
        }
        invocation.startKind = start.wire
        if start == .cold {
            invocation.times.claimed = max(invocation.times.arrived, function.created)
            invocation.times.sandboxReady = max(function.sandboxReadyAt, invocation.times.claimed)
            invocation.times.functionReady = function.functionReadyAt
        } else {
            invocation.times.claimed = monotonicNow()
        }
        running[request] = function
        function.run(invocation)
    }

    private func interrupt(_ request: UInt64, _ sandbox: UInt64) {
        guard let function = running[request], let invocation = function.current, invocation.id == request else {
            return
        }
        function.cancel(invocation, timedOut: timedOut.remove(request) != nil)
    }

    private func setFrozen(_ id: UInt64, _ frozen: Bool) {
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

    private func reject(_ request: UInt64, _ reason: RejectReason, _ wait: Nanoseconds?) {
        guard let invocation = waiting.removeValue(forKey: request) else { return }
        let name = invocation.function.name
        if case .startFailed = reason, let id = identifiers[name], let failure = startFailures[id] {
            return invocation.end(failure)
        }
        let (message, hint): (String, String) =
            switch reason {
            case .unknownFunction, .functionDeleted: ("'\(name)' was deleted meanwhile", "register it again")
            case .tooLarge:
                ("one invocation of '\(name)' may take more than the node's whole budget", "lower its memory")
            case .queueFull: ("too many requests wait for '\(name)'", "send fewer at once, or raise max_concurrency")
            case .deadlineUnreachable:
                ("'\(name)' cannot answer before the deadline", "allow more time, or try elsewhere")
            case .deadlineExpired: ("the deadline passed while the request waited for '\(name)'", "allow more time")
            case .startFailed(let stage):
                ("no sandbox for '\(name)' could be started (\(stage))", "see the agent's log")
            case .circuitOpen: ("'\(name)' has failed to start again and again", "correct its code and put it again")
            case .draining: ("the agent is draining", "send the request to another node")
            }
        invocation.end(Self.rejected(message, hint: hint, expectedWait: wait?.value ?? 0))
    }

    // MARK: Sandboxes

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

    func endAll() {
        for id in sandboxes.keys.sorted() { sandboxes[id]?.end() }
    }
}

extension StartKind {
    var wire: HearthStartKind {
        switch self {
        case .cold: .cold
        case .bare: .bare
        case .runtime: .runtime
        case .prefetched: .prefetched
        case .warm: .warm
        }
    }
}
