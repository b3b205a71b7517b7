import Linux
import Sandbox
import WarmPool

/// From nothing, or from a lower tier, to the tier that was asked for.
extension FunctionSandbox {
    /// Everything is asked for at once; PID 1 finds it in its socket when it is ready.
    func begin() {
        armStartTimer()
        do throws(AgentError) {
            if let function, function.hasBootstrap {
                try spawnResident(try environment.command(for: function, inheritsFilter: isFiltered))
            } else if let launch {
                try spawnResident(try environment.command(preloading: launch))
            } else if target == .bare {
                try filterAhead()
            }
        } catch {
            return failStart(error)
        }
        bindCode()
    }

    /// Binds a function to a sandbox that waits for one. From here on it is that function's alone.
    func promote(to function: FunctionRecord, background: Bool) {
        // Half bound it is neither what it was nor what it will be: a hearthd that comes back must not take it.
        environment.restart.forget(slot: sandbox.slot)
        self.function = function
        target = .ready
        state = .creating
        startBegan = monotonicNow()
        sampledMemory = 0
        // What there is to do to the sandbox itself is done when the code is bound; without code that is nothing.
        sandboxReadyAt = startBegan
        sandbox.setBackground(background)
        armStartTimer()
        do throws(AgentError) {
            do throws(SandboxError) {
                try sandbox.limit(to: environment.limits(of: function))
            } catch {
                throw AgentError(error)
            }
            if tier == .bare, function.hasBootstrap {
                launch = environment.launch(of: function)
                try spawnResident(try environment.command(for: function, inheritsFilter: isFiltered))
            }
        } catch {
            return failStart(error)
        }
        bindCode()
    }

    private func bindCode() {
        guard let function else { return }
        guard !function.codeDigest.isEmpty else {
            isBound = true
            return codeArrived()
        }
        environment.codeMounts.take(function.codeDigest) { [weak self] result in
            guard let self, self.state == .creating else { return }
            switch result {
            case .failure(let error):
                self.failStart(AgentError(error))
            case .success(let mount):
                do throws(SandboxError) {
                    self.bindCookie = try self.sandbox.bind(mount, at: SandboxEnvironment.codeDirectory)
                    self.codeArrived()
                    FaultPoint.reach(.startSent)
                } catch {
                    self.failStart(AgentError(error))
                }
            }
        }
    }

    /// The code's mount is on its way to PID 1, before anything else that is asked from now on.
    private func codeArrived() {
        if runtime == .native {
            do throws(AgentError) {
                guard let function else { return }
                try spawnResident(try environment.command(for: function, inheritsFilter: isFiltered))
            } catch {
                return failStart(error)
            }
        }
        // A promotion's requests go to PID 1 in one go; the first start seals once it knows that PID 1 is there.
        if builtAt > 0 { seal() }
        proceed()
    }

    /// The next step of starting, when what it needs is there.
    func proceed() {
        guard state == .creating, builtAt > 0 else { return }
        guard let function else { return shelve() }
        // A command that a request waits for needs no answer: PID 1 takes what it is sent in order, and spawns nothing after a mount
        // that it could not attach. One that nobody waits for does: told ready, it would close the breaker of what cannot start.
        guard isBound || (function.runtime == .command && bindCookie != nil && !sandbox.isBackground) else { return }
        seal()
        guard state == .creating else { return }
        if function.runtime == .command {
            if functionReadyAt == 0 { loaded() }
        } else if isGreeted, isSealed, !hasInitialized {
            // Nothing of the function runs before PID 1 has given its capabilities up.
            initialize(function)
        }
    }

    /// It has no function: it waits for one when its tier is reached.
    private func shelve() {
        tier = .bare
        guard target == .bare ? isFiltered : isGreeted else { return }
        // Nothing in it has anything to do until it is claimed, and a claim does not wait for its weight then.
        sandbox.setBackground(false)
        reached(target)
    }

    /// After binding nothing is mounted any more: PID 1 gives its capabilities up. One that goes on starting commands takes
    /// the functions' own filter, which they inherit: installing it costs 0.11 ms (the kernel translates it each time), paid
    /// once a sandbox instead of with every invocation. A sandbox without a function stays unsealed: its code has yet to be bound, and
    /// nothing of a tenant's is in it.
    private func seal() {
        guard sealCookie == nil, runtime == .command || program != nil else { return }
        let spawning = runtime == .command
        do throws(SandboxError) {
            sealCookie = try sandbox.seal(
                spawning: spawning,
                filter: !spawning ? environment.initFilter : isFiltered ? nil : environment.filter)
        } catch {
            failStart(AgentError(error))
        }
    }

    /// Whoever claims it then need not wait for that.
    private func filterAhead() throws(AgentError) {
        do throws(SandboxError) {
            filterCookie = try sandbox.filter(environment.waitingFilter)
        } catch {
            throw AgentError(error)
        }
    }

    /// The function can be called; its warm-up first, if it has one.
    func loaded() {
        guard let function else { return }
        functionReadyAt = monotonicNow()
        guard !function.warmupEvent.isEmpty, served == 0 else { return reached(.ready) }
        let warmup = Invocation(
            id: 0, function: function, payload: function.warmupEvent, timeout: environment.limits.initTimeout,
            arrived: functionReadyAt, isWarmup: true
        ) { [weak self] _, result in
            guard let self else { return }
            if result.outcome == .ok {
                self.reached(.ready)
            } else {
                var failure = result
                failure.outcome = result.outcome == .outOfMemory ? .outOfMemory : .initFailed
                failure.failure?.message = "the warm-up failed: " + (result.failure?.message ?? "")
                self.failedStage = .warmUp
                self.startFailure = failure
                self.end()
            }
        }
        run(warmup)
    }

    private func reached(_ tier: Tier) {
        timer?.cancel()
        timer = nil
        self.tier = tier
        state = .idle
        if tier == .ready {
            functionReadyAt = monotonicNow()
            FaultPoint.reach(.functionReady)
        }
        owner.functionSandboxReady(self)
        // After the request that waited has gone in, which the pool may do only when it is done with the event that led here. It may
        // have been bound or ended in that; and while that request runs, nothing is told to the nursery: who is ended with
        // it is not taken over anyway, and the nursery's answer would take the processor from it.
        Reactor.shared.afterTurn { [self] in
            guard self.tier == tier else { return }
            if state == .idle { keep() } else if state == .running { mustKeep = true }
            FaultPoint.reach(.kept)
        }
    }

    // MARK: Failing to start

    /// What has only the CPU time that others leave may take longer: a busy node is not the function's fault.
    private static let backgroundPatience: Int64 = 12

    private func armStartTimer() {
        timer?.cancel()
        let patience = sandbox.isBackground ? Self.backgroundPatience : 1
        timer = Reactor.shared.schedule(after: environment.limits.initTimeout * patience) { [weak self] in
            self?.startTimedOut()
        }
    }

    /// A request waits for the start that is under way, or takes the sandbox: it gets its share of the CPU.
    func raise() {
        guard sandbox.isBackground else { return }
        sandbox.setBackground(false)
        if state == .creating, current == nil { armStartTimer() }
    }

    /// Where the start is now. With a function, all that its own program does is its fault.
    var startStage: StartStage {
        if builtAt == 0 || (function != nil && !isBound) { return .sandbox }
        if function == nil { return .runtime }
        return functionReadyAt == 0 ? .load : .warmUp
    }

    func failStart(_ error: AgentError) {
        failStart(.initFailed, FailureDetail(type: "SandboxError", message: error.message, hint: error.remedy))
    }

    func failStart(_ outcome: Outcome, _ detail: FailureDetail) {
        guard state == .creating, startFailure == nil else { return }
        drainLogs()
        let text = logs.take()
        failedStage = startStage
        startFailure = InvocationResult(
            outcome: outcome, failure: detail, logs: text.bytes, logsTruncated: text.truncated)
        end()
    }

    private func startTimedOut() {
        guard state == .creating else { return }
        let seconds = Double(monotonicNow() - startBegan) / 1e9
        failStart(
            .initFailed,
            FailureDetail(
                type: "InitTimeout", message: "'\(label)' was not ready after \((seconds * 10).rounded() / 10) s",
                hint: "do less work when the module is loaded, or raise the agent's init_timeout"))
    }
}
