import Linux
import Sandbox

/// What happens to a function's sandbox, for whoever owns the pool.
@LoopActor
protocol FunctionSandboxOwner: AnyObject {
    /// The function's code is loaded and its warm-up has run: it may be claimed.
    func functionSandboxReady(_ sandbox: FunctionSandbox)
    /// An invocation has ended; `reusable` says whether the sandbox may serve another.
    func functionSandbox(_ sandbox: FunctionSandbox, ended invocation: Invocation, reusable: Bool)
    /// It is no more. `failure` says why it never became ready, if it did not.
    func functionSandboxEnded(_ sandbox: FunctionSandbox, failure: InvocationResult?)
}

/// A sandbox with one function in it: made, loaded, used, ended. What runs inside is hostile; whatever it does ends in one
/// of the owner's three calls.
@LoopActor
final class FunctionSandbox {
    enum State: String {
        case creating
        case idle
        case running
        case frozen
        case ending
    }

    let id: UInt64
    let function: FunctionRecord
    let environment: SandboxEnvironment
    unowned let owner: any FunctionSandboxOwner
    let sandbox: Sandbox
    let created: Int64

    var state = State.creating
    var current: Invocation?
    /// Invocations served, warm-ups not counted.
    var served = 0
    var lastUsed: Int64
    var sandboxReadyAt: Int64 = 0
    var functionReadyAt: Int64 = 0
    var reason = ""
    var sampledMemory: Int64 = 0

    // The resident program, or the command that runs at the moment.
    var channel: FunctionChannel?
    var program: UInt32?
    var programPid: Int32 = 0
    var output: PipeReader?
    var errors: PipeReader?
    var logs: LogBuffer
    var collected: [UInt8] = []
    var collectedLimit = 0
    var programEnd: ProcessEnd?
    var bindCookie: UInt32?
    var isBound: Bool
    var isGreeted = false
    var hasInitialized = false
    var isSealed = false
    private var sealCookie: UInt32?
    var timer: Reactor.Timer?
    /// It let go of its channel without ending, and was ended for it.
    var channelFailure: FailureDetail?
    /// Why it failed before it was ready.
    var startFailure: InvocationResult?

    init(
        id: UInt64, function: FunctionRecord, environment: SandboxEnvironment, owner: any FunctionSandboxOwner
    ) throws(AgentError) {
        self.id = id
        self.function = function
        self.environment = environment
        self.owner = owner
        logs = LogBuffer(limit: environment.limits.maximumLog)
        isBound = function.codeDigest.isEmpty
        created = monotonicNow()
        lastUsed = created
        let image = try environment.imageHandle(function.image)
        do throws(SandboxError) {
            sandbox = try environment.factory.create(environment.spec(for: function, image: image))
        } catch {
            throw AgentError(error)
        }
        sandbox.onEvent = { [weak self] event in self?.handle(event) }
        timer = Reactor.shared.schedule(after: environment.limits.initTimeout) { [weak self] in self?.startTimedOut() }
        begin()
    }

    /// Everything is asked for at once; PID 1 finds it in its socket when it is ready.
    private func begin() {
        do throws(AgentError) {
            if function.runtime == .python || function.runtime == .node { try spawnResident() }
        } catch {
            return failStart(error)
        }
        guard !function.codeDigest.isEmpty else { return codeArrived() }
        environment.factory.codeMount(function.codeDigest) { [weak self] result in
            guard let self, self.state == .creating else { return }
            switch result {
            case .failure(let error):
                self.failStart(AgentError(error))
            case .success(let mount):
                do throws(SandboxError) {
                    self.bindCookie = try self.sandbox.bind(mount, at: SandboxEnvironment.codeDirectory)
                    self.codeArrived()
                } catch {
                    self.failStart(AgentError(error))
                }
            }
        }
    }

    private func codeArrived() {
        guard function.runtime == .native else { return }
        do throws(AgentError) { try spawnResident() } catch { failStart(error) }
    }

    // MARK: Events of the sandbox

    private func handle(_ event: SandboxEvent) {
        switch event {
        case .ready(let time):
            sandboxReadyAt = time
            proceed()
        case .bound(let cookie):
            if cookie == bindCookie { isBound = true }
            proceed()
        case .started(let cookie, let pid, _):
            if cookie == program { programPid = pid }
        case .exited(let cookie, let end):
            if cookie == program { programEnded(end) }
        case .failed(let cookie, let error):
            requestFailed(cookie, error)
        case .sealed:
            break
        case .ended(let end):
            finish(end)
        }
    }

    /// The next step of starting, when what it needs is there.
    func proceed() {
        guard state == .creating, sandboxReadyAt > 0, isBound else { return }
        seal()
        switch function.runtime {
        case .command:
            if functionReadyAt == 0 { loaded() }
        default:
            if isGreeted, !hasInitialized { initialize() }
        }
    }

    /// After binding nothing is mounted any more: PID 1 gives its capabilities up. One that goes on starting commands takes
    /// the functions' own filter, which they inherit: installing it costs 0.11 ms (the kernel translates it each time), paid
    /// once a sandbox instead of with every invocation.
    private func seal() {
        guard !isSealed, function.runtime == .command || program != nil else { return }
        isSealed = true
        let spawning = function.runtime == .command
        do throws(SandboxError) {
            sealCookie = try sandbox.seal(
                spawning: spawning, filter: spawning ? environment.filter : environment.initFilter)
        } catch {
            failStart(AgentError(error))
        }
    }

    /// The function can be called; its warm-up first, if it has one.
    func loaded() {
        functionReadyAt = monotonicNow()
        guard !function.warmupEvent.isEmpty, served == 0 else { return becomeReady() }
        let warmup = Invocation(
            id: 0, function: function, payload: function.warmupEvent, timeout: environment.limits.initTimeout,
            arrived: functionReadyAt, isWarmup: true
        ) { [weak self] _, result in
            guard let self else { return }
            if result.outcome == .ok {
                self.becomeReady()
            } else {
                var failure = result
                failure.outcome = result.outcome == .outOfMemory ? .outOfMemory : .initFailed
                failure.failure?.message = "the warm-up failed: " + (result.failure?.message ?? "")
                self.startFailure = failure
                self.end()
            }
        }
        run(warmup)
    }

    private func becomeReady() {
        timer?.cancel()
        timer = nil
        state = .idle
        functionReadyAt = monotonicNow()
        owner.functionSandboxReady(self)
    }

    // MARK: Failing to start

    func failStart(_ error: AgentError) {
        failStart(.initFailed, FailureDetail(type: "SandboxError", message: error.message, hint: error.remedy))
    }

    func failStart(_ outcome: Outcome, _ detail: FailureDetail) {
        guard state == .creating, startFailure == nil else { return }
        drainLogs()
        let text = logs.take()
        startFailure = InvocationResult(
            outcome: outcome, failure: detail, logs: text.bytes, logsTruncated: text.truncated)
        end()
    }

    private func startTimedOut() {
        guard state == .creating else { return }
        let seconds = Double(environment.limits.initTimeout) / 1e9
        failStart(
            .initFailed,
            FailureDetail(
                type: "InitTimeout", message: "'\(function.name)' was not ready after \(seconds) s",
                hint: "do less work when the module is loaded, or raise the agent's init_timeout"))
    }

    private func requestFailed(_ cookie: UInt32, _ error: SandboxError) {
        let detail = AgentError(error)
        if state == .creating, current == nil { return failStart(detail) }
        // A sandbox that cannot be sealed is not used, whatever runs in it already.
        if cookie == sealCookie { return end() }
        guard cookie == program, let invocation = current else { return }
        current = nil
        timer?.cancel()
        closeProgram()
        conclude(
            invocation,
            InvocationResult(
                outcome: .initFailed,
                failure: FailureDetail(type: "ExecError", message: detail.message, hint: detail.remedy)), reusable: true
        )
    }

    // MARK: The end

    /// Kills everything inside. The owner hears `functionSandboxEnded` when it is done.
    func end() {
        guard state != .ending else { return }
        state = .ending
        timer?.cancel()
        sandbox.kill()
    }

    private func finish(_ end: SandboxEnd) {
        let wasCreating = functionReadyAt == 0
        state = .ending
        timer?.cancel()
        if current != nil { drainLogs() }
        if let invocation = current {
            current = nil
            conclude(invocation, crashResult(end), reusable: false)
        }
        if wasCreating, startFailure == nil {
            startFailure = failureToStart(end)
        }
        closeProgram()
        channel?.close()
        channel = nil
        owner.functionSandboxEnded(self, failure: startFailure)
    }

    private func failureToStart(_ end: SandboxEnd) -> InvocationResult {
        drainLogs()
        let text = logs.take()
        var result = crashResult(end)
        result.logs = text.bytes
        result.logsTruncated = text.truncated
        if result.outcome == .crashed { result.outcome = .initFailed }
        if let failure = end.failure {
            result.failure = FailureDetail(
                type: "SandboxError", message: failure.description, hint: "see 'hearth doctor' and the agent's log")
        }
        return result
    }

    /// What an end without an answer means, by its evidence.
    private func crashResult(_ end: SandboxEnd) -> InvocationResult {
        if end.oomKills > 0 { return outOfMemoryResult(peak: end.peakMemory) }
        if let channelFailure { return InvocationResult(outcome: .crashed, failure: channelFailure) }
        return crashResult(programEnd)
    }

    func outOfMemoryResult(peak: Int64) -> InvocationResult {
        var result = InvocationResult(
            outcome: .outOfMemory,
            failure: FailureDetail(
                type: "OutOfMemory",
                message:
                    "'\(function.name)' needed more than its \(function.memoryBytes >> 20) MiB and was ended by the kernel",
                signal: 9, hint: "raise the function's memory, or make it use less"))
        result.peakMemory = peak
        return result
    }

    func crashResult(_ end: ProcessEnd?) -> InvocationResult {
        var detail = FailureDetail(
            type: "Crashed", message: "'\(function.name)' ended without an answer",
            hint: "see the logs of this invocation")
        switch end?.exit {
        case .status(let status)?:
            detail.message = "'\(function.name)' left with status \(status) and gave no answer"
            detail.exitStatus = status
        case .signal(let signal)?:
            detail.message = "'\(function.name)' was ended by signal \(signal) (\(SignalName.of(signal)))"
            detail.signal = signal
        case nil:
            detail.message = "'\(function.name)' ended together with its sandbox"
        }
        var result = InvocationResult(outcome: .crashed, failure: detail)
        if let end {
            result.userNanoseconds = end.userMicroseconds * 1000
            result.systemNanoseconds = end.systemMicroseconds * 1000
            result.peakMemory = end.maxResidentKiB * 1024
        }
        return result
    }
}

/// Names of signals as kill(1) has them.
enum SignalName {
    private static let names: [Int32: String] = [
        1: "SIGHUP", 2: "SIGINT", 3: "SIGQUIT", 4: "SIGILL", 6: "SIGABRT", 7: "SIGBUS", 8: "SIGFPE", 9: "SIGKILL",
        11: "SIGSEGV", 13: "SIGPIPE", 14: "SIGALRM", 15: "SIGTERM", 24: "SIGXCPU", 25: "SIGXFSZ", 31: "SIGSYS",
    ]

    static func number(_ name: String) -> Int32? { names.first { $0.value == name }?.key }

    static func of(_ signal: Int32) -> String { names[signal] ?? "signal \(signal)" }
}
