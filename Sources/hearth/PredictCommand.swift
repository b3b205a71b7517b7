import ArgumentParser
import Foundation
import HearthClient
import Wire

/// `hearth predict`: what the node expects, and why.
struct PredictCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "predict", abstract: "Show what the node expects to be called, how sure it is, and why.",
        discussion: """
            Without a name: the functions most likely called within the horizon. With --user: what that user calls next. \
            CONFIDENCE is what the pool acts on: the probability of the surest window of time in which a call is due.
            """)

    @OptionGroup var agent: AgentOptions
    @Argument(help: "One function only.") var function = ""
    @Option(name: .long, help: "What this user calls next.") var user = ""
    @Option(name: .long, help: "How far ahead: 60s.") var horizon: TimeSpan?
    @Option(name: .long, help: "How many.") var limit: UInt32 = 0
    @Flag(name: .long, help: "Print JSON.") var json = false

    func run() throws {
        try reporting {
            var request = HearthPredictRequest()
            request.function = function
            request.user = user
            request.horizonNs = horizon?.nanoseconds ?? 0
            request.limit = limit
            let predictions = try agent.connect().predict(request).predictions
            if json { return JSON.print(.array(predictions.map(Self.json))) }
            var table = Table(["FUNCTION", "PROBABILITY", "CONFIDENCE", "DUE", "WHY"], rightAligned: [1, 2, 3])
            for prediction in predictions {
                table.add([
                    prediction.function, Self.percent(prediction.probability), Self.percent(prediction.confidence),
                    prediction.expectedInNs == 0 ? "now" : "in " + Format.duration(prediction.expectedInNs),
                    Self.why(prediction),
                ])
            }
            table.print()
        }
    }

    private static func percent(_ share: Double) -> String { String(format: "%.1f %%", 100 * share) }

    /// The sources by their share of the answer.
    private static func why(_ prediction: HearthPrediction) -> String {
        guard !prediction.sources.isEmpty else { return "nothing is known of it yet" }
        return prediction.sources.map {
            "\($0.text) \(String(format: "%.0f", 100 * $0.weight)) % (says \(percent($0.probability)))"
        }.joined(separator: ", ")
    }

    private static func json(_ prediction: HearthPrediction) -> JSON.Value {
        .object([
            "function": .string(prediction.function), "probability": .number(prediction.probability),
            "confidence": .number(prediction.confidence), "expected_in_ns": JSON.Value(prediction.expectedInNs),
            "sources": .array(
                prediction.sources.map {
                    .object([
                        "source": .string($0.source), "text": .string($0.text),
                        "probability": .number($0.probability), "share": .number($0.weight),
                    ])
                }),
        ])
    }
}
