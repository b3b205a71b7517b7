/// Measures how long several subjects take to create a sandbox, in one run and taking turns, so that what else the
/// machine does falls on all of them alike.
package struct CreateBenchmark {
    package struct Options: Sendable {
        /// Measured creations of each subject.
        package var count = 300
        /// Creations of each subject before the first that counts.
        package var warmUp = 10
        /// Seed of the order within the rounds.
        package var seed: UInt64 = 1

        package init(count: Int = 300, warmUp: Int = 10, seed: UInt64 = 1) {
            self.count = count
            self.warmUp = warmUp
            self.seed = seed
        }
    }

    /// Told about a subject that cannot take part: its name and the reason.
    package typealias Note = (_ subject: String, _ reason: String) -> Void

    private let options: Options
    private let note: Note

    package init(options: Options, note: @escaping Note) {
        self.options = options
        self.note = note
    }

    /// Runs the rounds. A subject that fails is left out from there on, the others go on.
    ///
    /// - Returns: a row for each subject that finished, in the order of `subjects`, in microseconds.
    /// - Throws: `nothingToMeasure` when no subject finished.
    package nonisolated(nonsending) func run(subjects: [any CreateSubject]) async throws(BenchError) -> BenchReport {
        var taking: [Turn] = []
        for subject in subjects {
            let turn = Turn(subject: subject)
            do {
                try await subject.prepare()
                taking.append(turn)
            } catch {
                await drop(turn, because: error)
            }
        }
        var order = SplitMix64(seed: options.seed)
        for round in 0..<(options.warmUp + options.count) {
            // Every round has every subject once. Within it the order is shuffled: in a fixed one the same subject
            // would always start while the kernel still takes down its predecessor's network namespace.
            for index in taking.indices.shuffled(using: &order) where !taking[index].failed {
                do {
                    let nanoseconds = try await taking[index].subject.create()
                    if round >= options.warmUp { taking[index].nanoseconds.append(nanoseconds) }
                } catch {
                    taking[index].failed = true
                    await drop(taking[index], because: error)
                }
            }
        }
        for turn in taking where !turn.failed { await turn.subject.teardown() }
        let rows = taking.compactMap { turn in
            turn.failed ? nil : BenchReport.Row(name: turn.subject.name, nanoseconds: turn.nanoseconds)
        }
        if rows.isEmpty { throw .nothingToMeasure("no subject finished its \(options.count) creations") }
        return BenchReport(bench: "create", unit: "us", rows: rows)
    }

    private struct Turn {
        let subject: any CreateSubject
        var nanoseconds: [Int64] = []
        var failed = false
    }

    private nonisolated(nonsending) func drop(_ turn: Turn, because error: BenchError) async {
        note(turn.subject.name, error.description)
        await turn.subject.teardown()
    }
}
