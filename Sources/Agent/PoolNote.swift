import WarmPool
import Wire

/// A record of the policy with the names that its numbers stand for.
struct PoolNote: Sendable {
    var record: Record
    /// "" where the record names no function, or one that is gone.
    var function: String
    /// "" where it names no sandbox.
    var sandbox: String

    /// Fills in kind, text and fields of an entry.
    func describe(_ entry: inout HearthJournalEntry) {
        entry.function = function
        entry.sandboxID = sandbox
        switch record {
        case .prefetchStarted(_, _, let source, let probability, let threshold):
            prefetch(
                &entry, "started", source,
                ["probability": Self.share(probability), "threshold": Self.share(threshold)])
        case .prefetchHit(_, _, let source, let lead, let held):
            prefetch(&entry, "hit", source, ["lead_us": "\(lead.value / 1000)", "mb_s": Self.figure(held)])
        case .prefetchLate(_, _, let source): prefetch(&entry, "late", source)
        case .prefetchWasted(_, _, let source, let held):
            prefetch(&entry, "wasted", source, ["mb_s": Self.figure(held)])
        case .prefetchVoid(_, _, let source): prefetch(&entry, "void", source)
        case .thresholdMoved(let from, let to, let reason, let p95):
            entry.kind = "threshold"
            entry.fields = [
                "from": Self.share(from), "to": Self.share(to), "reason": reason.word, "p95_us": "\(p95.value / 1000)",
            ]
            entry.text = "confidence threshold \(Self.share(from)) to \(Self.share(to)): \(reason.word)"
        case .breakerOpened(_, _, let failures):
            entry.kind = "breaker"
            entry.fields = ["state": "open", "failures": "\(failures)"]
            entry.text = "starts of \(function) have failed \(failures) times and are held back"
        case .breakerClosed:
            entry.kind = "breaker"
            entry.fields = ["state": "closed"]
            entry.text = "\(function) starts again"
        default: describeRest(&entry)
        }
    }

    private func describeRest(_ entry: inout HearthJournalEntry) {
        switch record {
        case .planAccepted(let generation, let entries):
            entry.kind = "plan"
            entry.fields = ["action": "accepted", "generation": "\(generation)", "entries": "\(entries)"]
            entry.text = "plan \(generation) with \(entries) entries is in force"
        case .planRefused(let generation, let inForce):
            entry.kind = "plan"
            entry.fields = ["action": "refused", "generation": "\(generation)", "in_force": "\(inForce)"]
            entry.text = "plan \(generation) is not newer than \(inForce)"
        case .planExpired(let generation):
            entry.kind = "plan"
            entry.fields = ["action": "expired", "generation": "\(generation)"]
            entry.text = "plan \(generation) has expired"
        case .reservationRefused(_, let memory, let milliCPU):
            entry.kind = "reservation"
            entry.fields = ["memory_bytes": "\(memory)", "milli_cpu": "\(milliCPU)"]
            entry.text = "a reservation of \(memory) bytes for \(function) does not fit beside the others"
        case .ignored(let misfit):
            entry.kind = "ignored"
            entry.fields = ["reason": "\(misfit)"]
            entry.text = "an event did not fit the pool: \(misfit)"
        default:
            // A record of a later version of the policy.
            entry.kind = "pool"
            entry.text = "\(record)"
        }
    }

    private func prefetch(
        _ entry: inout HearthJournalEntry, _ action: String, _ source: DemandSource, _ more: [String: String] = [:]
    ) {
        entry.kind = "prefetch"
        entry.fields = more
        entry.fields["action"] = action
        entry.fields["source"] = "\(source)"
        entry.text = "prefetch \(action) (\(source))"
    }

    /// Three decimals, whatever the locale.
    private static func share(_ value: Double) -> String { figure(value) }

    private static func figure(_ value: Double) -> String {
        guard value.isFinite, abs(value) < 1e12 else { return "0" }
        let thousandths = Int((value * 1000).rounded())
        let rest = String(abs(thousandths) % 1000)
        let whole = "\(thousandths < 0 ? "-" : "")\(abs(thousandths) / 1000)"
        return whole + "." + String(repeating: "0", count: 3 - rest.count) + rest
    }
}

extension ThresholdMove {
    var word: String {
        switch self {
        case .latencyOverTarget: "latency_over_target"
        case .latencyUnderTarget: "latency_under_target"
        case .memoryPressure: "memory_pressure"
        }
    }
}

extension Record {
    /// The sandbox and the function that it is about.
    var subjects: (sandbox: SandboxID?, function: FunctionID?) {
        switch self {
        case .prefetchStarted(let sandbox, let function, _, _, _), .prefetchHit(let sandbox, let function, _, _, _),
            .prefetchLate(let sandbox, let function, _), .prefetchWasted(let sandbox, let function, _, _),
            .prefetchVoid(let sandbox, let function, _):
            (sandbox, function)
        case .breakerOpened(let function, _, _), .breakerClosed(let function), .reservationRefused(let function, _, _):
            (nil, function)
        default: (nil, nil)
        }
    }
}
