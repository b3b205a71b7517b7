import Linux
import Wire

/// Something that happened, as the loop notes it: figures, not texts. What the journal's reader gets is made of it on the
/// registry's thread, since a dozen strings for every invocation would cost the loop more than the note is worth.
enum JournalEvent: Sendable {
    case invocation(InvocationNote)
    /// A program of the method Run ended.
    case run(sandbox: String, outcome: Outcome)
    case pool(PoolNote)
    /// Anything rare enough to be put into words at once.
    case note(
        kind: String, function: String = "", sandbox: String = "", text: String, fields: [String: String] = [:])
    /// Entries that the memory had no room for while the disk was slow.
    case lost(Int)
}

/// How an invocation went.
struct InvocationNote: Sendable {
    var id: UInt64
    var function: String
    var generation: UInt64
    var sandbox: String
    var user: String
    var session: String
    var start: HearthStartKind
    var outcome: Outcome
    /// Nanoseconds.
    var timing: HearthTiming
    var payloadBytes: Int
    var resultBytes: Int
    var peakMemory: Int64
    var errorType: String

}

extension InvocationNote {
    @LoopActor
    init(_ invocation: Invocation, _ result: InvocationResult, _ timing: HearthTiming) {
        self.init(
            id: invocation.id, function: invocation.function.name, generation: invocation.function.generation,
            sandbox: invocation.sandboxName, user: invocation.user, session: invocation.session,
            start: invocation.startKind, outcome: result.outcome, timing: timing,
            payloadBytes: invocation.payload.count, resultBytes: result.payload.count, peakMemory: result.peakMemory,
            errorType: result.failure?.type ?? "")
    }
}

extension JournalEvent {
    /// The entry without its number and time.
    var entry: HearthJournalEntry {
        var entry = HearthJournalEntry()
        switch self {
        case .invocation(let note):
            entry.kind = "invocation"
            entry.function = note.function
            entry.sandboxID = note.sandbox
            entry.fields = note.fields
            entry.text = "\(note.outcome.rawValue) in \(note.timing.totalNs / 1000) us"
        case .run(let sandbox, let outcome):
            entry.kind = "run"
            entry.sandboxID = sandbox
            entry.fields = ["outcome": outcome.rawValue]
            entry.text = outcome.rawValue
        case .pool(let note):
            note.describe(&entry)
        case .note(let kind, let function, let sandbox, let text, let fields):
            entry.kind = kind
            entry.function = function
            entry.sandboxID = sandbox
            entry.text = text
            entry.fields = fields
        case .lost(let count):
            entry.kind = "lost"
            entry.fields = ["entries": "\(count)", "because": "the disk was slow"]
            entry.text = "\(count) entries were dropped while the disk was slow"
        }
        return entry
    }
}

extension InvocationNote {
    var fields: [String: String] {
        var fields = [
            "invocation": "\(id)", "outcome": outcome.rawValue, "start": start.journalWord,
            "generation": "\(generation)",
            "queued_us": "\(timing.queuedNs / 1000)", "sandbox_us": "\(timing.sandboxNs / 1000)",
            "init_us": "\(timing.initNs / 1000)", "run_us": "\(timing.runNs / 1000)",
            "total_us": "\(timing.totalNs / 1000)", "payload_bytes": "\(payloadBytes)",
            "result_bytes": "\(resultBytes)",
        ]
        if !user.isEmpty { fields["user"] = user }
        if !session.isEmpty { fields["session"] = session }
        if peakMemory > 0 { fields["peak_memory_bytes"] = "\(peakMemory)" }
        if !errorType.isEmpty { fields["error"] = errorType }
        return fields
    }
}

extension HearthStartKind {
    var journalWord: String {
        switch self {
        case .cold: "cold"
        case .bare: "bare"
        case .runtime: "runtime"
        case .prefetched: "prefetched"
        case .warm: "warm"
        case .unspecified, .UNRECOGNIZED: "none"
        }
    }
}
