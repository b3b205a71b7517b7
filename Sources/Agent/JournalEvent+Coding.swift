import Wire

/// The form of an event in the spool. Written by this program for the next start of it: what another version wrote and this one does
/// not understand is no event.
extension JournalEvent {
    private enum Kind: UInt64 {
        case invocation = 1
        case run = 2
        case note = 3
        case lost = 4
    }

    func encode(into writer: inout ByteWriter) {
        switch self {
        case .invocation(let note):
            writer.append(Kind.invocation.rawValue)
            for number in note.numbers { writer.append(number) }
            for text in [note.function, note.sandbox, note.user, note.session, note.errorType, note.outcome.rawValue] {
                writer.append(text)
            }
        case .run(let sandbox, let outcome):
            writer.append(Kind.run.rawValue)
            writer.append(sandbox)
            writer.append(outcome.rawValue)
        case .lost(let count):
            writer.append(Kind.lost.rawValue)
            writer.append(UInt64(count))
        case .pool, .note:
            let entry = entry
            writer.append(Kind.note.rawValue)
            for text in [entry.kind, entry.function, entry.sandboxID, entry.text] { writer.append(text) }
            writer.append(UInt64(entry.fields.count))
            for (key, value) in entry.fields {
                writer.append(key)
                writer.append(value)
            }
        }
    }

    /// Nil for anything that `encode` did not write.
    init?(_ bytes: [UInt8]) {
        var reader = ByteReader(bytes)
        switch Kind(rawValue: reader.number()) {
        case .invocation:
            let numbers = (0..<InvocationNote.numberCount).map { _ in reader.number() }
            let texts = (0..<6).map { _ in reader.text() }
            guard let outcome = Outcome(rawValue: texts[5]),
                let note = InvocationNote(numbers: numbers, texts: texts, outcome: outcome)
            else { return nil }
            self = .invocation(note)
        case .run:
            let sandbox = reader.text()
            guard let outcome = Outcome(rawValue: reader.text()) else { return nil }
            self = .run(sandbox: sandbox, outcome: outcome)
        case .note:
            let (kind, function, sandbox, text) = (reader.text(), reader.text(), reader.text(), reader.text())
            let count = reader.number()
            var fields: [String: String] = [:]
            for _ in 0..<min(count, UInt64(bytes.count)) {
                let key = reader.text()
                fields[key] = reader.text()
            }
            self = .note(kind: kind, function: function, sandbox: sandbox, text: text, fields: fields)
        case .lost: self = .lost(Int(clamping: reader.number()))
        case nil: return nil
        }
        guard reader.isWhole else { return nil }
    }
}

extension InvocationNote {
    fileprivate static let numberCount = 11

    fileprivate var numbers: [UInt64] {
        [
            id, generation, UInt64(start.rawValue), timing.queuedNs, timing.sandboxNs, timing.initNs, timing.runNs,
            timing.totalNs, UInt64(payloadBytes), UInt64(resultBytes), UInt64(bitPattern: peakMemory),
        ]
    }

    fileprivate init?(numbers: [UInt64], texts: [String], outcome: Outcome) {
        guard let start = HearthStartKind(rawValue: Int(clamping: numbers[2])) else { return nil }
        var timing = HearthTiming()
        timing.queuedNs = numbers[3]
        timing.sandboxNs = numbers[4]
        timing.initNs = numbers[5]
        timing.runNs = numbers[6]
        timing.totalNs = numbers[7]
        self.init(
            id: numbers[0], function: texts[0], generation: numbers[1], sandbox: texts[1], user: texts[2],
            session: texts[3], start: start, outcome: outcome, timing: timing,
            payloadBytes: Int(clamping: numbers[8]), resultBytes: Int(clamping: numbers[9]),
            peakMemory: Int64(bitPattern: numbers[10]), errorType: texts[4])
    }
}
