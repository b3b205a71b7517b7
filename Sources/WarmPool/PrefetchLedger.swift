/// What prefetching brought and what it cost, by who asked for it.
package struct PrefetchLedger: Equatable, Sendable {
    package struct Entry: Equatable, Sendable {
        package var started = 0
        /// Ready before the request that used it.
        package var hits = 0
        /// Still starting when the request came.
        package var late = 0
        /// Never used.
        package var wasted = 0
        /// Failed, or overtaken by an update or a deletion.
        package var void = 0
        /// How long the hits had been ready, in all.
        package var lead = Nanoseconds.zero
        /// Memory held while unused, in all: by those that hit, and by those that did not.
        package var hitMegabyteSeconds = 0.0
        package var wastedMegabyteSeconds = 0.0
        package init() {}
    }

    /// By `DemandSource.rawValue`.
    private(set) package var entries = [Entry](repeating: Entry(), count: DemandSource.allCases.count)
    /// Memory held by all idle sandboxes, used before or not.
    package internal(set) var idleMegabyteSeconds = 0.0

    package subscript(_ source: DemandSource) -> Entry { entries[Int(source.rawValue)] }

    package var total: Entry {
        entries.reduce(into: Entry()) { sum, entry in
            sum.started += entry.started
            sum.hits += entry.hits
            sum.late += entry.late
            sum.wasted += entry.wasted
            sum.void += entry.void
            sum.lead = sum.lead + entry.lead
            sum.hitMegabyteSeconds += entry.hitMegabyteSeconds
            sum.wastedMegabyteSeconds += entry.wastedMegabyteSeconds
        }
    }

    mutating func started(_ source: DemandSource) { entries[Int(source.rawValue)].started += 1 }

    mutating func hit(_ source: DemandSource, lead: Nanoseconds, megabyteSeconds: Double) {
        entries[Int(source.rawValue)].hits += 1
        entries[Int(source.rawValue)].lead = entries[Int(source.rawValue)].lead + lead
        entries[Int(source.rawValue)].hitMegabyteSeconds += megabyteSeconds
    }

    mutating func late(_ source: DemandSource) { entries[Int(source.rawValue)].late += 1 }

    mutating func wasted(_ source: DemandSource, megabyteSeconds: Double) {
        entries[Int(source.rawValue)].wasted += 1
        entries[Int(source.rawValue)].wastedMegabyteSeconds += megabyteSeconds
    }

    mutating func void(_ source: DemandSource) { entries[Int(source.rawValue)].void += 1 }
}

/// How far a source's probabilities of late have been borne out by hits, 0...1: what a prefetch must multiply its worth by
/// before it takes another sandbox's memory. A forecast may be right and its prefetch still useless: too late, or while
/// running sandboxes free in time.
struct PrefetchTrust: Sendable {
    private var hits = [Double](repeating: 0, count: DemandSource.allCases.count)
    private var expected = [Double](repeating: 0, count: DemandSource.allCases.count)

    subscript(_ source: DemandSource) -> Double {
        // What is not a guess needs no trust.
        guard source >= .trigger else { return 1 }
        return min(1, (hits[Int(source.rawValue)] + 1) / (expected[Int(source.rawValue)] + 1))
    }

    mutating func settled(_ source: DemandSource, probability: Double, isHit: Bool) {
        let index = Int(source.rawValue)
        // A memory of some hundred prefetches.
        if expected[index] > 256 {
            expected[index] /= 2
            hits[index] /= 2
        }
        expected[index] += probability
        if isHit { hits[index] += 1 }
    }
}

/// What becomes of a sandbox, for the ledger.
enum LedgerMoment {
    /// It stays idle; what it held so far is counted.
    case held
    case claimed(arrival: Instant)
    case unused
    /// Nobody could have used it.
    case void
}

extension Pool {
    mutating func settleLedger(_ sandbox: Int, _ moment: LedgerMoment) {
        let state = sandboxes[sandbox]
        if state.phase == .idle {
            let held = Double(state.charge) / 1_048_576 * (now - state.heldSince).inSeconds
            sandboxes[sandbox].heldMegabyteSeconds += held
            sandboxes[sandbox].heldSince = now
            ledger.idleMegabyteSeconds += held
        }
        guard case .prefetch(let source) = state.origin.kind, state.uses == 0, state.function >= 0 else { return }
        let function = functions[state.function].spec.id
        let held = sandboxes[sandbox].heldMegabyteSeconds
        switch moment {
        case .held, .void: break
        case .unused: trust.settled(source, probability: state.origin.probability, isHit: false)
        case .claimed(let arrival):
            trust.settled(source, probability: state.origin.probability, isHit: state.readyAt <= arrival)
        }
        switch moment {
        case .held: break
        case .claimed(let arrival) where state.readyAt <= arrival:
            let lead = arrival - state.readyAt
            ledger.hit(source, lead: lead, megabyteSeconds: held)
            out.append(.record(.prefetchHit(state.id, function, source, lead: lead, megabyteSeconds: held)))
        case .claimed:
            ledger.late(source)
            out.append(.record(.prefetchLate(state.id, function, source)))
        case .unused:
            ledger.wasted(source, megabyteSeconds: held)
            out.append(.record(.prefetchWasted(state.id, function, source, megabyteSeconds: held)))
        case .void:
            ledger.void(source)
            out.append(.record(.prefetchVoid(state.id, function, source)))
        }
    }
}
