import Linux
import Sandbox

/// The runtime `command`: each invocation executes argv, payload on stdin, result on stdout, logs on stderr.
extension FunctionSandbox {
    func runCommand(_ invocation: Invocation) {
        guard let function else { return end() }
        do throws(AgentError) {
            // PID 1 was sealed with everybody's filter, and what it starts inherits that.
            let command = try environment.command(for: function, inheritsFilter: true)
            try startCommand(command, payload: invocation.payload)
        } catch {
            current = nil
            closeProgram()
            conclude(
                invocation,
                InvocationResult(
                    outcome: .initFailed,
                    failure: FailureDetail(type: "SandboxError", message: error.message, hint: error.remedy)),
                reusable: true)
        }
    }

    private func startCommand(_ command: SpawnRequest, payload: [UInt8]) throws(AgentError) {
        collected = []
        collectedLimit = environment.limits.maximumResult
        let input: SharedFD
        do throws(Errno) {
            input = try environment.descriptors.payload(payload)
        } catch {
            throw outOfDescriptors(error)
        }
        let writers = try openPipes { [weak self] bytes in self?.commandWrote(bytes) }
        do throws(SandboxError) {
            program = try sandbox.spawn(
                command, descriptors: [input.rawValue, writers.output.rawValue, writers.errors.rawValue])
        } catch {
            throw AgentError(error)
        }
    }

    private func commandWrote(_ bytes: ArraySlice<UInt8>) {
        guard let current else { return }
        if let onChunk = current.onChunk { return onChunk(Array(bytes)) }
        guard collected.count + bytes.count <= collectedLimit else { return resultTooLarge() }
        collected.append(contentsOf: bytes)
    }

    /// The command has ended; what it wrote before is in the pipes.
    func commandEnded(_ end: ProcessEnd, _ invocation: Invocation) {
        output?.drain(limit: collectedLimit + (1 << 20))
        // Draining may have found the result too large and ended the invocation.
        guard current != nil else { return }
        drainLogs()
        guard current === invocation else { return }
        current = nil
        timer?.cancel()
        // Whatever it left running in the background belongs to no invocation.
        try? sandbox.signal(9)
        closeProgram()
        var result: InvocationResult
        switch end.exit {
        case .status(0):
            result = InvocationResult(outcome: .ok, payload: collected)
        case .status(let status):
            result = InvocationResult(
                outcome: .functionError, payload: collected,
                failure: FailureDetail(
                    type: "ExitStatus", message: "'\(label)' left with status \(status)", exitStatus: status,
                    hint: "see the logs of this invocation"))
        case .signal:
            let kills = sandbox.oomKills()
            result = kills > 0 ? outOfMemoryResult(peak: 0) : crashResult(end)
        }
        collected = []
        result.userNanoseconds = end.userMicroseconds * 1000
        result.systemNanoseconds = end.systemMicroseconds * 1000
        result.peakMemory = end.maxResidentKiB * 1024
        conclude(invocation, result, reusable: result.outcome != .outOfMemory)
        if result.outcome == .outOfMemory { self.end() }
    }

    /// Lets go of the pipes of a command that is over.
    func closeProgram() {
        output?.close()
        errors?.close()
        output = nil
        errors = nil
        program = nil
        programPid = 0
    }
}
