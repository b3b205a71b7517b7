import ArgumentParser
import CreateBench
import Linux

/// What the benchmarks' commands share: where reasons go, and how a report is printed.
enum BenchCommand {
    /// Says on stderr that a row is missing, and why.
    static func note(_ subject: String, _ reason: String) {
        try? Message.writeAll(2, Array("hearth-bench: \(subject) is not available: \(reason)\n".utf8))
    }

    static func print(_ report: BenchReport, json: Bool, baseline: String) throws {
        let text = try (json ? report.json() : report.table(baseline: baseline)) + "\n"
        try Message.writeAll(1, Array(text.utf8))
    }

    /// Runs a benchmark; its failure is one line and status 1.
    static func reporting(_ body: () throws -> Void) throws {
        do {
            try body()
        } catch let error as BenchError {
            try? Message.writeAll(2, Array("hearth-bench: \(error)\n".utf8))
            throw ExitCode(1)
        }
    }
}
