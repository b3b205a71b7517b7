import Linux
import Sandbox

/// What an end means, by the evidence that it leaves.
extension FunctionSandbox {
    func failureToStart(_ end: SandboxEnd) -> InvocationResult {
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
    func crashResult(_ end: SandboxEnd) -> InvocationResult {
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
                    "'\(label)' needed more than its \(sandbox.spec.limits.memory >> 20) MiB and was ended by the kernel",
                signal: 9, hint: "raise the function's memory, or make it use less"))
        result.peakMemory = peak
        return result
    }

    func crashResult(_ end: ProcessEnd?) -> InvocationResult {
        var detail = FailureDetail(
            type: "Crashed", message: "'\(label)' ended without an answer",
            hint: "see the logs of this invocation")
        switch end?.exit {
        case .status(let status)?:
            detail.message = "'\(label)' left with status \(status) and gave no answer"
            detail.exitStatus = status
        case .signal(let signal)?:
            detail.message = "'\(label)' was ended by signal \(signal) (\(SignalName.of(signal)))"
            detail.signal = signal
        case nil:
            detail.message = "'\(label)' ended together with its sandbox"
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
