import ArgumentParser
import CreateBench
import FoundationEssentials
import Linux

/// `hearth-bench table`: a report that was written with --json, for people.
struct TableCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "table", abstract: "Print a report that another command wrote with --json as a table.")

    @Argument(help: "The JSON file.")
    var file: String

    @Option(name: .long, help: "The row that the others are compared with.")
    var baseline = "floor"

    func run() throws {
        do {
            let bytes = try Files.read(file, limit: 16 << 20)
            let report = try JSONDecoder().decode(BenchReport.self, from: Data(bytes))
            try BenchCommand.print(report, json: false, baseline: report["relay"] == nil ? baseline : "relay")
        } catch {
            try? Message.writeAll(2, Array("hearth-bench: \(file): \(error); write it with --json\n".utf8))
            throw ExitCode(1)
        }
    }
}
