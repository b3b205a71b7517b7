import Linux
import Sandbox

/// One invocation at a time: its start, its output, its time limit and its end.
extension FunctionSandbox {
    /// Hands an invocation to the function. The sandbox must be idle, or loading when it is the warm-up.
    func run(_ invocation: Invocation) {
        current = invocation
        if !invocation.isWarmup { state = .running }
        collected = []
        invocation.sandboxName = sandbox.name
        invocation.times.started = monotonicNow()
        timer?.cancel()
        timer = Reactor.shared.schedule(at: invocation.times.started + invocation.timeout) { [weak self] in
            self?.timedOut(invocation)
        }
        if !invocation.isWarmup { environment.restart.runs(invocation.entry, in: sandbox.id) }
        if !invocation.isWarmup { FaultPoint.reach(.invocationNoted) }
        if runtime == .command { runCommand(invocation) } else { runResident(invocation) }
        if !invocation.isWarmup { FaultPoint.reach(.invocationSent) }
    }

    /// The client does not want it any more: what runs is ended with everything around it.
    func cancel(_ invocation: Invocation, timedOut: Bool) {
        guard current === invocation else { return }
        if timedOut { return self.timedOut(invocation) }
        // A client that cancels listens no longer: the rest goes into the logs only.
        current = nil
        drainLogs()
        conclude(
            invocation,
            InvocationResult(
                outcome: .cancelled,
                failure: FailureDetail(type: "Cancelled", message: "the client cancelled the invocation")),
            reusable: false)
        end()
    }

    private func timedOut(_ invocation: Invocation) {
        guard current === invocation else { return }
        output?.drain(limit: 64 << 10)
        drainLogs()
        guard current === invocation else { return }
        current = nil
        let milliseconds = (monotonicNow() - invocation.times.started) / 1_000_000
        // Nothing of a timed-out invocation goes on: the whole sandbox ends with it.
        conclude(
            invocation,
            InvocationResult(
                outcome: .timeout,
                failure: FailureDetail(
                    type: "Timeout", message: "'\(label)' had not answered after \(milliseconds) ms",
                    hint: "raise the function's timeout, or make it faster")), reusable: false)
        end()
    }

    /// The program has ended: for a command that is the answer, for a resident runtime the lack of one.
    func programEnded(_ end: ProcessEnd) {
        programEnd = end
        if runtime == .command {
            guard let invocation = current else { return }
            return commandEnded(end, invocation)
        }
        drainLogs()
        let killed = sandbox.oomKills() > 0 || heapIsFull(end)
        if state == .creating, current == nil {
            let result = killed ? outOfMemoryResult(peak: 0) : crashResult(end)
            return failStart(
                killed ? .outOfMemory : .initFailed,
                result.failure ?? FailureDetail(type: "Crashed", message: "the runtime ended"))
        }
        if let invocation = current {
            current = nil
            conclude(invocation, killed ? outOfMemoryResult(peak: 0) : crashResult(end), reusable: false)
        }
        self.end()
    }

    /// Some runtimes bound their heap themselves and abort, saying so (runtime.yaml, `out_of_memory`).
    private func heapIsFull(_ end: ProcessEnd) -> Bool {
        guard let runtime = try? environment.runtimes.runtime(runtime?.rawValue ?? ""),
            let (signal, text) = runtime.outOfMemory
        else { return false }
        return end.exit == .signal(signal) && logs.contains(text)
    }

    /// Gives the invocation its end, with the logs written until now.
    func conclude(_ invocation: Invocation, _ answer: InvocationResult, reusable: Bool) {
        timer?.cancel()
        timer = nil
        var result = answer
        let text = logs.take()
        result.logs = text.bytes
        result.logsTruncated = text.truncated
        lastUsed = monotonicNow()
        invocation.times.ended = lastUsed
        if invocation.isWarmup { return invocation.end(result) }
        served += 1
        if reusable {
            state = .idle
            // Before the answer: what has answered once is taken over by a hearthd that comes back.
            if mustKeep { keep() } else { noteServed() }
            environment.restart.runs(invocation.entry, in: 0)
        } else {
            // Its end is a moment away, and a hearthd that is killed in that moment must not undo it.
            environment.restart.forget(slot: sandbox.slot)
        }
        // The answer first: the client is waiting for it, and whatever it asks next is read after this turn of the loop, when the
        // pool knows of the free sandbox.
        invocation.end(result)
        owner.functionSandbox(self, ended: invocation, reusable: reusable)
        if !reusable { end() }
    }

    /// Bytes that it is taken to hold: sampled after a while of rest, since asking the kernel after each invocation would cost
    /// more than the invocation.
    func memoryEstimate() -> Int {
        if sampledMemory == 0 { sampledMemory = sandbox.memoryInUse() }
        return Int(sampledMemory)
    }

    // MARK: Output

    func logged(_ channel: UInt8, _ bytes: ArraySlice<UInt8>) {
        logs.append(bytes)
        current?.onLog?(channel, bytes)
    }

    func drainLogs() {
        if runtime != .command { output?.drain(limit: 1 << 20) }
        errors?.drain(limit: 1 << 20)
    }
}
