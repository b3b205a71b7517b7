import ArgumentParser
import ForecastBench
import Foundation
import Linux

/// `hearth-bench forecast`: the models on real traces, asked first and told then, beside the baselines.
struct ForecastCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "forecast",
        abstract: "Evaluate the prediction models on the traces of a data directory, prequentially.")

    @Option(name: .long, help: "Directory with the traces; HEARTH_DATA by default.")
    var data: String?

    @Option(name: .long, help: "Parts, separated by commas: sequence, load, occurrence, ensemble, engine, daemon.")
    var parts = "load,occurrence,ensemble,engine,sequence"

    @Flag(name: .long, help: "Leave each group of sources out once.")
    var leaveOneOut = false

    @Flag(name: .long, help: "With the LSTM too, which takes minutes more.")
    var network = false

    @Option(name: .long, help: "File for the reliability diagram, as SVG.")
    var diagram: String?

    @Flag(name: .long, help: "Print JSON.")
    var json = false

    func run() throws {
        guard let directory = data ?? ProcessInfo.processInfo.environment["HEARTH_DATA"] else {
            try? Message.writeAll(2, Array("hearth-bench: no data; name its directory with --data\n".utf8))
            throw ExitCode(1)
        }
        var options = ForecastBench.Options()
        options.parts = Set(parts.split(separator: ",").map(String.init))
        options.leaveOneOut = leaveOneOut
        options.network = network
        let bench = ForecastBench.run(dataDirectory: directory, options: options) { part in
            try? Message.writeAll(2, Array("hearth-bench: \(part)\n".utf8))
        }
        if let diagram {
            do {
                try bench.reliabilityDiagram().write(toFile: diagram, atomically: true, encoding: .utf8)
            } catch {
                let reason = "hearth-bench: cannot write the diagram to \(diagram): \(error.localizedDescription)\n"
                try? Message.writeAll(2, Array(reason.utf8))
                throw ExitCode(1)
            }
        }
        // The daemon is a program of its own, started for it; only on request, since it needs a machine that can run it.
        let daemon = options.parts.contains("daemon") ? try ForecastDaemon.run() : nil
        var lines = bench.text()
        if let daemon { lines += ["", daemon.text] }
        var bytes = Array((lines.joined(separator: "\n") + "\n").utf8)
        if json {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys]
            bytes = Array(try encoder.encode(bench)) + [UInt8(ascii: "\n")]
            if let daemon { bytes += Array(try encoder.encode(daemon)) + [UInt8(ascii: "\n")] }
        }
        try Message.writeAll(1, bytes)
    }
}
