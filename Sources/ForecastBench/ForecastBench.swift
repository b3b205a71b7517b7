package import Forecast
import Foundation
import Replay

/// The tables of `hearth-bench forecast`: every model asked first and told then, beside the baselines.
package struct ForecastBench: Sendable, Encodable {
    package var sequences: [SequenceRow] = []
    package var loads: [LoadRow] = []
    package var occurrences: [OccurrenceRow] = []
    /// The whole engine by call, each source left out once.
    package var ensemble: [OccurrenceRow] = []
    package var engine: EngineRow?
    /// What could not be read, and why.
    package var skipped: [String] = []

    package struct Options: Sendable {
        /// Every group of sources left out once.
        package var leaveOneOut = true
        /// The LSTM too: minutes more.
        package var network = true
        package var parts: Set<String> = ["sequence", "load", "occurrence", "ensemble", "engine"]

        package init() {}
    }

    /// Groups of sources that are left out together.
    package static let groups: [(String, Set<NextFunctionModel.Source>)] = [
        ("Markov", [.userMarkov, .firstOrder, .blend, .skip, .beforeLast, .newest]),
        ("user recency", [.recency, .isLast, .inSession, .frequency]),
        ("factors", [.factors]),
        ("popularity", [.recentPopularity, .popularity]),
    ]

    private init() {}

    /// Runs what `options` asks for; data that is missing is skipped and named.
    package static func run(
        dataDirectory: String, options: Options = Options(), progress: (String) -> Void = { _ in }
    ) -> ForecastBench {
        var bench = ForecastBench()
        let data = BenchData(directory: dataDirectory)
        func part(_ name: String, _ body: () throws -> Void) {
            progress(name)
            do { try body() } catch { bench.skipped.append("\(name): \(error)") }
        }
        if options.parts.contains("load") {
            part("Huawei load") { bench.loads = LoadBench.run(try data.huawei()) }
        }
        if options.parts.contains("occurrence") {
            part("Azure, 100 applications") { bench.occurrences += try OccurrenceBench.run(try data.apps100()) }
            part("Azure, pool") { bench.occurrences += try OccurrenceBench.run(try data.pool(500, seed: 20240)) }
        }
        if options.parts.contains("sequence") {
            part("Alibaba") { bench.add("Alibaba", SequenceData.alibaba(try data.alibaba()), options, progress) }
            let file = dataDirectory + "/wikispeedia/paths_unfinished.tsv"
            part("Wikispeedia") {
                bench.add("Wikispeedia", try SequenceData.wikispeedia(path: file, goals: false), options, progress)
                let goals = try SequenceData.wikispeedia(path: file, goals: true)
                bench.sequences.append(
                    SequenceBench.run(
                        "Wikispeedia", goals, "stacked, goal known", .stacked(without: [])))
            }
        }
        if options.parts.contains("ensemble") {
            let isFull = options.leaveOneOut
            part("Engine on Azure, 100 applications") {
                bench.ensemble += try EnsembleBench.run(try data.apps100(), leaveOneOut: isFull)
            }
            part("Engine on Alibaba") {
                bench.ensemble += try EnsembleBench.run(try data.alibaba(), leaveOneOut: isFull)
            }
        }
        if options.parts.contains("engine") { part("engine") { bench.engine = try EngineBench.run() } }
        return bench
    }

    private mutating func add(
        _ name: String, _ calls: [SequenceCall], _ options: Options, _ progress: (String) -> Void
    ) {
        sequences.append(SequenceBench.run(name, calls, "repeat last", .repeatLast))
        sequences.append(SequenceBench.run(name, calls, "PPM order 2", .markov))
        sequences.append(SequenceBench.run(name, calls, "stacked", .stacked(without: [])))
        if options.network {
            progress("\(name), with the LSTM")
            sequences.append(SequenceBench.run(name, calls, "  with the LSTM", .stacked(without: [], network: true)))
        }
        guard options.leaveOneOut else { return }
        progress("\(name), with neighbors")
        sequences.append(SequenceBench.run(name, calls, "  with neighbors", .stacked(without: [], neighbors: true)))
        for (group, sources) in Self.groups {
            progress("\(name), without \(group)")
            sequences.append(
                SequenceBench.run(name, calls, "  without \(group)", .stacked(without: sources)))
        }
    }

    package func reliabilityDiagram() -> String { ReliabilityDiagram.svg(occurrences) }
}
