import Linux
import Sandbox
import WarmPool

/// What happens to a sandbox, for whoever owns the pool.
@LoopActor
protocol FunctionSandboxOwner: AnyObject {
    /// It has reached the tier that was asked for. At `ready` the function's code is loaded and its warm-up has run: it may be claimed.
    func functionSandboxReady(_ sandbox: FunctionSandbox)
    /// An invocation has ended; `reusable` says whether the sandbox may serve another.
    func functionSandbox(_ sandbox: FunctionSandbox, ended invocation: Invocation, reusable: Bool)
    /// It is no more. `failure` says why it never reached its tier, if it did not.
    func functionSandboxEnded(_ sandbox: FunctionSandbox, failure: InvocationResult?)
}

/// A sandbox of the pool: made, given a function at once or later, used, ended. What runs inside is hostile; whatever it does ends
/// in one of the owner's three calls.
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
    let environment: SandboxEnvironment
    unowned let owner: any FunctionSandboxOwner
    let sandbox: Sandbox
    let created: Int64
    let base: SandboxBase
    /// How its language runtime is started; nil where there is none, or none yet.
    var launch: RuntimeLaunch?
    /// nil below the ready tier, until a function is bound to it. A sandbox never has a second one.
    var function: FunctionRecord?
    /// Reached, and asked for.
    var tier = Tier.none
    var target: Tier

    var state = State.creating
    var current: Invocation?
    /// Invocations served, warm-ups not counted.
    var served = 0
    var lastUsed: Int64
    /// When the start began that is under way or was the last: the sandbox's creation, or its promotion.
    var startBegan: Int64
    /// PID 1 has built everything.
    var builtAt: Int64 = 0
    /// The sandbox's own part of that start was over: it was built, or the code was bound.
    var sandboxReadyAt: Int64 = 0
    var functionReadyAt: Int64 = 0
    var sampledMemory: Int64 = 0
    /// Checksum of the tag that the nursery was given last.
    var keptTag: UInt64 = 0
    /// The nursery is to be told what it is once its first invocation has ended.
    var mustKeep = false

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
    var isBound = false
    var isGreeted = false
    var hasInitialized = false
    var filterCookie: UInt32?
    /// PID 1 has everybody's filter (`WaitingFilter`): so it is with each sandbox that waits at the tier bare.
    var isFiltered = false
    var sealCookie: UInt32?
    var isSealed = false
    var timer: Reactor.Timer?
    /// It let go of its channel without ending, and was ended for it.
    var channelFailure: FailureDetail?
    /// Why its start failed, and where.
    var startFailure: InvocationResult?
    var failedStage = StartStage.sandbox
    /// The pool wants it no more: that a start was under way is no failure.
    var isEvicted = false

    /// Begins a sandbox for a function, or with `function` nil one that waits for any that fits.
    /// - Parameters:
    ///   - launch: the language runtime to start with it, if any.
    ///   - background: nobody waits for it, so it gets only the CPU time that others leave.
    init(
        id: UInt64, base: SandboxBase, launch: RuntimeLaunch?, function: FunctionRecord?, target: Tier,
        background: Bool, environment: SandboxEnvironment, owner: any FunctionSandboxOwner
    ) throws(AgentError) {
        self.id = id
        self.base = base
        self.launch = launch
        self.function = function
        self.target = target
        self.environment = environment
        self.owner = owner
        logs = LogBuffer(limit: environment.limits.maximumLog)
        created = monotonicNow()
        startBegan = created
        lastUsed = created
        let limits = function.map(environment.limits) ?? environment.limits(of: base, launch)
        let image = try environment.imageHandle(base.image)
        do throws(SandboxError) {
            sandbox = try environment.factory.create(SandboxSpec(image: image, limits: limits))
        } catch {
            throw AgentError(error)
        }
        sandbox.setBackground(background)
        sandbox.onEvent = { [weak self] event in self?.handle(event) }
        begin()
    }

    /// One that an earlier hearthd has made, and perhaps loaded and used.
    init(
        id: UInt64, base: SandboxBase, launch: RuntimeLaunch?, function: FunctionRecord?,
        environment: SandboxEnvironment, owner: any FunctionSandboxOwner, adopting sandbox: Sandbox, tag: SandboxTag
    ) {
        self.id = id
        self.base = base
        self.launch = launch
        self.function = function
        self.environment = environment
        self.owner = owner
        self.sandbox = sandbox
        tier = tag.tier
        target = tag.tier
        logs = LogBuffer(limit: environment.limits.maximumLog)
        created = tag.created
        startBegan = tag.created
        lastUsed = tag.created
        builtAt = tag.created
        sandboxReadyAt = tag.created
        program = tag.program == 0 ? nil : tag.program
        isGreeted = tag.program != 0
        isFiltered = tag.tier == .bare
        if tag.tier == .ready {
            functionReadyAt = tag.created
            isBound = true
            hasInitialized = true
            isSealed = true
        }
        state = sandbox.isFrozen ? .frozen : .idle
        sandbox.continueCookies(after: tag.program)
        sandbox.onEvent = { [weak self] event in self?.handle(event) }
    }

    /// The function's name, or what the sandbox is as long as it has none.
    var label: String { function?.name ?? "a sandbox of the image \(base.image)" }

    /// How what runs in it is served; nil below the runtime tier.
    var runtime: RuntimeKind? { function?.runtime ?? launch?.runtime }

    // MARK: Events of the sandbox

    private func handle(_ event: SandboxEvent) {
        switch event {
        case .ready(let time):
            builtAt = time
            FaultPoint.reach(.initReady)
            sandboxReadyAt = time
            proceed()
        case .bound(let cookie, let time):
            guard cookie == bindCookie else { return }
            isBound = true
            if tier > .none, functionReadyAt == 0 { sandboxReadyAt = time }
            proceed()
        case .started(let cookie, let pid, _):
            if cookie == program { programPid = pid }
        case .exited(let cookie, let end):
            if cookie == program { programEnded(end) }
        case .failed(let cookie, let error):
            requestFailed(cookie, error)
        case .filtered(let cookie):
            guard cookie == filterCookie else { return }
            isFiltered = true
            proceed()
        case .sealed(let cookie):
            guard cookie == sealCookie else { return }
            isSealed = true
            proceed()
        case .ended(let end):
            finish(end)
        }
    }

    private func requestFailed(_ cookie: UInt32, _ error: SandboxError) {
        // What fails after that fails for its sake.
        guard startFailure == nil else { return }
        let detail = AgentError(error)
        if state == .creating, current == nil { return failStart(detail) }
        // A sandbox without its code, or that cannot be sealed, is not used, whatever was asked of it already.
        if cookie == sealCookie || cookie == bindCookie { return giveUp(detail) }
        guard cookie == program, let invocation = current else { return }
        // An earlier hearthd may have asked for what failed.
        if error.isSealed { return giveUp(detail) }
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

    /// Its own making failed after it was taken for ready. The request in it has its answer when the sandbox has ended: asked again
    /// before that, the pool would still count the start as one that worked.
    private func giveUp(_ error: AgentError) {
        let failure = InvocationResult(
            outcome: .initFailed,
            failure: FailureDetail(type: "SandboxError", message: error.message, hint: error.remedy))
        if let warmup = current, warmup.isWarmup {
            // Before the reason is set: a warm-up that ends blames the function.
            current = nil
            conclude(warmup, failure, reusable: false)
        }
        startFailure = failure
        failedStage = .sandbox
        end()
    }

    // MARK: The end

    /// Kills everything inside, because the pool wants the sandbox no more.
    func evict() {
        isEvicted = true
        end()
    }

    /// Kills everything inside. The owner hears `functionSandboxEnded` when it is done.
    func end() {
        guard state != .ending else { return }
        state = .ending
        timer?.cancel()
        environment.restart.forget(slot: sandbox.slot)
        sandbox.kill()
    }

    private func finish(_ end: SandboxEnd) {
        state = .ending
        timer?.cancel()
        if current != nil { drainLogs() }
        if let invocation = current {
            current = nil
            let given = invocation.isWarmup ? nil : startFailure
            conclude(invocation, given ?? crashResult(end), reusable: false)
        }
        if tier < target, startFailure == nil, !isEvicted {
            failedStage = startStage
            startFailure = failureToStart(end)
        }
        closeProgram()
        channel?.close()
        channel = nil
        owner.functionSandboxEnded(self, failure: startFailure)
    }
}
