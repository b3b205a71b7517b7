import Linux
import Sandbox
import Wire

/// How an invocation ended. Each is told apart by evidence (DESIGN section 5).
package enum Outcome: String, Sendable, CaseIterable {
    case ok
    case functionError = "function_error"
    case crashed
    case timeout
    case outOfMemory = "out_of_memory"
    case initFailed = "init_failed"
    case rejected
    case cancelled
    case agentRestarted = "agent_restarted"

    var wire: HearthOutcome {
        switch self {
        case .ok: .ok
        case .functionError: .functionError
        case .crashed: .crashed
        case .timeout: .timeout
        case .outOfMemory: .outOfMemory
        case .initFailed: .initFailed
        case .rejected: .rejected
        case .cancelled: .cancelled
        case .agentRestarted: .agentRestarted
        }
    }
}

/// What a failed invocation says about its failure.
struct FailureDetail: Sendable {
    var type: String
    var message: String
    var trace: [String] = []
    var exitStatus: Int32 = 0
    var signal: Int32 = 0
    var hint = ""

    var wire: HearthErrorDetail {
        var detail = HearthErrorDetail()
        detail.type = type
        detail.message = message
        detail.trace = trace
        detail.exitStatus = exitStatus
        detail.signal = signal
        detail.hint = hint
        return detail
    }
}

/// Where the time of an invocation went; points of the monotonic clock, 0 for those not reached.
struct InvocationTimes: Sendable {
    var arrived: Int64
    /// A sandbox was claimed, or one began to be made for it.
    var claimed: Int64 = 0
    var sandboxReady: Int64 = 0
    var functionReady: Int64 = 0
    /// The request was handed to the function.
    var started: Int64 = 0
    var ended: Int64 = 0

    var wire: HearthTiming {
        let end = ended == 0 ? monotonicNow() : ended
        var timing = HearthTiming()
        let claim = claimed == 0 ? end : claimed
        timing.queuedNs = UInt64(max(0, claim - arrived))
        timing.sandboxNs = sandboxReady > claim ? UInt64(sandboxReady - claim) : 0
        timing.initNs = functionReady > max(sandboxReady, claim) ? UInt64(functionReady - max(sandboxReady, claim)) : 0
        timing.runNs = started == 0 ? 0 : UInt64(max(0, end - started))
        timing.totalNs = UInt64(max(0, end - arrived))
        return timing
    }
}

/// What the client gets.
struct InvocationResult: Sendable {
    var outcome: Outcome
    var payload: [UInt8] = []
    var failure: FailureDetail?
    var logs: [UInt8] = []
    var logsTruncated = false
    var userNanoseconds: Int64 = 0
    var systemNanoseconds: Int64 = 0
    var peakMemory: Int64 = 0
    var expectedWait: Int64 = 0
}

/// One request to run a function, from its arrival to its only end.
@LoopActor
final class Invocation {
    let id: UInt64
    let function: FunctionRecord
    let payload: [UInt8]
    let user: String
    let session: String
    let timeout: Int64
    let isWarmup: Bool
    var times: InvocationTimes
    var startKind = HearthStartKind.unspecified
    var sandboxName = ""
    /// Its place in the restart file; -1 for none.
    var entry: Int32 = -1
    /// A piece of a streamed result; nil where the client wants it whole.
    var onChunk: (@LoopActor ([UInt8]) -> Void)?
    /// Output as it is written, with its channel (1 stdout, 2 stderr).
    var onLog: (@LoopActor (UInt8, ArraySlice<UInt8>) -> Void)?
    private var onEnd: (@LoopActor (Invocation, InvocationResult) -> Void)?

    init(
        id: UInt64, function: FunctionRecord, payload: [UInt8], user: String = "", session: String = "",
        timeout: Int64, arrived: Int64, isWarmup: Bool = false,
        onEnd: @escaping @LoopActor (Invocation, InvocationResult) -> Void
    ) {
        self.id = id
        self.function = function
        self.payload = payload
        self.user = user
        self.session = session
        self.timeout = timeout
        self.isWarmup = isWarmup
        times = InvocationTimes(arrived: arrived)
        self.onEnd = onEnd
    }

    var hasEnded: Bool { onEnd == nil }

    /// Ends it; a second end is ignored, so that every request ends exactly once whatever happens at the same time.
    func end(_ result: InvocationResult) {
        guard let handler = onEnd else { return }
        onEnd = nil
        onChunk = nil
        onLog = nil
        if times.ended == 0 { times.ended = monotonicNow() }
        handler(self, result)
    }

    /// The body of an INVOKE message before the payload: remaining time, length of the context, context.
    func invokePrefix() -> [UInt8] {
        var context = "{\"request_id\":\"\(id)\",\"event\":\"\(isWarmup ? "warmup" : "invoke")\",\"user\":"
        JSONText.append(user, to: &context)
        context += ",\"session\":"
        JSONText.append(session, to: &context)
        context += "}"
        var bytes: [UInt8] = []
        bytes.reserveCapacity(12 + context.utf8.count)
        for shift in stride(from: 56, through: 0, by: -8) {
            bytes.append(UInt8(truncatingIfNeeded: UInt64(timeout) >> UInt64(shift)))
        }
        let length = UInt32(context.utf8.count)
        for shift in [24, 16, 8, 0] as [UInt32] { bytes.append(UInt8(truncatingIfNeeded: length >> shift)) }
        bytes.append(contentsOf: context.utf8)
        return bytes
    }
}

/// JSON strings without an encoder, for the hot path.
enum JSONText {
    static func append(_ text: String, to out: inout String) {
        out += "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": out += "\\\""
            case "\\": out += "\\\\"
            case _ where scalar.value < 0x20:
                let hex = String(scalar.value, radix: 16)
                out += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
            default: out.unicodeScalars.append(scalar)
            }
        }
        out += "\""
    }
}
