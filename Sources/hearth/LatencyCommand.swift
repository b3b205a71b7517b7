import ArgumentParser
import HearthClient
import Wire

/// `hearth latency`: percentiles by function, start kind and phase, since the agent's start.
struct LatencyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "latency", abstract: "Show latency percentiles by function, start kind and phase.")
    @OptionGroup var agent: AgentOptions
    @Argument(help: "One function only.") var function = ""
    @Flag(name: .long, help: "Print JSON.") var json = false

    func run() throws {
        try reporting {
            var request = HearthPullLatencyRequest()
            request.function = function
            let response = try agent.connect().pullLatency(request)
            if json { return printJSON(response) }
            var table = Table(
                ["FUNCTION", "START", "PHASE", "COUNT", "P50", "P90", "P99", "MAX"], rightAligned: [3, 4, 5, 6, 7])
            for series in response.series {
                let histogram = series.histogram
                func at(_ share: Double) -> String { histogram.quantile(share).map(Format.duration) ?? "" }
                table.add([
                    series.function, Words.start(series.startKind), Words.phase(series.phase), "\(histogram.total)",
                    at(0.5), at(0.9), at(0.99), Format.duration(histogram.maxNs),
                ])
            }
            table.print()
        }
    }

    private func printJSON(_ response: HearthPullLatencyResponse) {
        func microseconds(_ value: UInt64?) -> JSON.Value { value.map { JSON.Value($0 / 1000) } ?? .null }
        JSON.print(
            .array(
                response.series.map { series in
                    let histogram = series.histogram
                    return .object([
                        "function": .string(series.function), "start": .string(Words.start(series.startKind)),
                        "phase": .string(Words.phase(series.phase)), "count": JSON.Value(histogram.total),
                        "p50_us": microseconds(histogram.quantile(0.5)),
                        "p90_us": microseconds(histogram.quantile(0.9)),
                        "p99_us": microseconds(histogram.quantile(0.99)), "max_us": microseconds(histogram.maxNs),
                        "mean_us": microseconds(histogram.total > 0 ? histogram.sumNs / histogram.total : nil),
                    ])
                }))
    }
}

extension Words {
    static func phase(_ phase: HearthPhase) -> String {
        switch phase {
        case .queued: "queued"
        case .sandbox: "sandbox"
        case .init_: "init"
        case .run: "run"
        case .total: "total"
        case .unspecified, .UNRECOGNIZED: "unknown"
        }
    }
}
