import ArgumentParser
import Glibc
import Linux
import Replay

/// `hearth replay`: what a policy would have cost and saved on a trace. Needs no agent.
struct ReplaySubcommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "replay",
        abstract: "Run policies over a trace on a virtual clock: cold starts against memory.",
        discussion: "Policies: \(PolicySpec.grammar)\nHow to read the tables and the report: docs/replay.md.")

    enum ModeName: String, ExpressibleByArgument, CaseIterable {
        case minute
        case event
    }

    enum UnitName: String, ExpressibleByArgument, CaseIterable {
        case function
        case app
    }

    @Argument(help: "Trace files: Azure 2019 or 2021, plain layouts, a journal, JSON lines; gzip and xz too.")
    var traces: [String]

    @Option(name: .long, help: "minute: the papers' semantics; event: service times and memory on the agent's pool.")
    var mode = ModeName.minute

    @Option(name: .long, help: "Policies, separated by commas.")
    var policy: String?

    @Option(name: .long, help: "Write a self-contained HTML report.")
    var report: String?

    @Flag(name: .long, help: "What each source of the forecasts brought: a table more, and a forecast run for each.")
    var sources = false

    @Option(name: .long, help: "Replay this many units drawn from the trace.")
    var resample: Int?

    @Option(name: .long, help: "Seed of the draw.")
    var seed: UInt64 = 20240

    @Option(name: .long, help: "A prior for the models, as --train-prior wrote it.")
    var prior: String?

    @Option(name: .long, help: "Learn a prior from the trace and write it to this file instead of replaying.")
    var trainPrior: String?

    @Option(name: .long, help: "JSON file of start costs.")
    var costs: String?

    @Option(name: .long, help: "Memory budgets of an event replay, MB or percent of the need, separated by commas.")
    var budget: String?

    @Option(name: .long, help: "What is loaded and unloaded: function or app.")
    var unit = UnitName.function

    @Option(name: .long, help: "The smallest memory budget that meets a target: p95=50ms or cold=1%.")
    var sizeFor: String?

    @Flag(name: .long, help: "Print JSON.")
    var json = false

    func run() throws {
        try reporting {
            do throws(ReplayError) {
                var policies: [PolicySpec]?
                if let policy { policies = try PolicySpec.parse(list: policy) }
                var options = try ReplayOptions(
                    traces: traces, mode: mode == .minute ? .minute : .event, policies: policies)
                options.json = json
                options.report = report
                options.sources = sources
                options.resample = resample
                options.seed = seed
                options.prior = prior
                options.trainPrior = trainPrior
                options.costs = costs
                options.granularity = unit == .app ? .app : .function
                if let budget { options.budgets = try PolicySpec.Size.parse(list: budget) }
                if let sizeFor { options.sizing = try SizingTarget(sizeFor) }
                let isTerminal = isatty(2) == 1
                try ReplayCommand.run(options: options) { line in
                    Terminal.write(line + "\n")
                } progress: { progress in
                    if isTerminal { Terminal.writeError("\r" + ProgressBar.line(progress) + "\u{1b}[K") }
                }
                if isTerminal { Terminal.writeError("\r\u{1b}[K") }
            } catch {
                throw Failure("\(error)")
            }
        }
    }
}
