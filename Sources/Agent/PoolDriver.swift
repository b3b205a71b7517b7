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
final class PoolDriver {
    let environment: SandboxEnvironment
    let logger: Logger
    var policy: Pool
    private var events: [Event] = []
    private var effects: [Effect] = []
    private var isProcessing = false
    var wake: Reactor.Timer?

    var functions: [FunctionID: FunctionRecord] = [:]
    var identifiers: [String: FunctionID] = [:]
    var nextFunction: UInt32 = 1
    /// What a sandbox is made of, and how a language runtime is started, by the numbers that the policy has for them.
    var bases: [ImageID: SandboxBase] = [:]
    var imageIDs: [SandboxBase: ImageID] = [:]
    var launches: [RuntimeClass: RuntimeLaunch] = [:]
    var runtimeClasses: [RuntimeLaunch: RuntimeClass] = [:]
    var waiting: [UInt64: Invocation] = [:]
    var timedOut: Set<UInt64> = []
    var running: [UInt64: FunctionSandbox] = [:]
    var sandboxes: [UInt64: FunctionSandbox] = [:]
    /// What the last start of a function failed with, for the requests that waited for it.
    var startFailures: [FunctionID: InvocationResult] = [:]
    private var observers: [ObjectIdentifier: @LoopActor () -> Void] = [:]
    /// Every record of the policy, for the journal.
    var onRecord: (@LoopActor (Record) -> Void)?
    /// A start that failed: the function, if it had one, and what happened.
    var onStartFailed: (@LoopActor (String, String) -> Void)?
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

    var waitingCount: Int { waiting.count }
    var runningCount: Int { running.count }

    func drain(keepSandboxes: Bool) { handle(.drain(keepSandboxes: keepSandboxes)) }

    func endAll() {
        for id in sandboxes.keys.sorted() { sandboxes[id]?.end() }
    }

    /// Tells the policy something, and carries out what it wants done.
    func handle(_ event: Event) {
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
        if !observers.isEmpty { for observer in observers.values { observer() } }
    }

    // MARK: Observers

    /// Calls `action` after whatever has happened, until `stopObserving`.
    func observe(_ owner: AnyObject, _ action: @escaping @LoopActor () -> Void) {
        observers[ObjectIdentifier(owner)] = action
    }

    func stopObserving(_ owner: AnyObject) {
        observers[ObjectIdentifier(owner)] = nil
    }
}
