import Foundation

extension ForecastBench {
    /// The tables as lines of text.
    package func text() -> [String] {
        var lines: [String] = []
        func pad(_ text: String, _ width: Int) -> String { text.padding(toLength: width, withPad: " ", startingAt: 0) }
        func number(_ value: Double, _ digits: Int, _ width: Int = 9) -> String {
            let text = String(format: "%.\(digits)f", value)
            return String(repeating: " ", count: max(1, width - text.count)) + text
        }
        if !sequences.isEmpty {
            lines += [
                "Sequences (prequential; change: where another function comes; w/o last: the current one, warm already, left out)",
                pad("", 36) + "   hit@1    hit@3   change@1 change@3 w/o last log-loss      ECE  us/call",
            ]
            for row in sequences {
                lines.append(
                    pad(row.data, 13) + pad(row.model, 23) + number(row.hit1, 1) + number(row.hit3, 1)
                        + number(row.changeHit1, 1) + number(row.changeHit3, 1) + number(row.changeHit3Without, 1)
                        + number(row.logLoss, 3) + number(row.ece, 3) + number(row.microseconds, 1))
            }
        }
        if !loads.isEmpty {
            let series = loads.reduce(into: [String]()) { if !$0.contains($1.series) { $0.append($1.series) } }
            let models = loads.reduce(into: [String]()) { if !$0.contains($1.model) { $0.append($1.model) } }
            let heading = pad("", 22) + series.map { pad("   \($0)", 9) }.joined()
            lines += ["", "Load (hourly WAPE %, last 7 days)", heading]
            for model in models {
                let values = series.map { name in
                    number(loads.first { $0.series == name && $0.model == model }?.wape ?? 0, 2)
                }
                lines.append(pad(model, 22) + values.joined())
            }
        }
        for (title, rows) in [
            ("Occurrence (the minute model alone)", occurrences), ("Engine (all sources, by call)", ensemble),
        ] where !rows.isEmpty {
            lines += ["", title, pad("", 70) + " forecasts    Brier log-loss      ECE"]
            for row in rows {
                lines.append(
                    pad(row.data, 42) + pad("\(row.horizonMinutes) min", 7) + pad(row.model, 21)
                        + number(Double(row.count), 0, 10) + number(row.brier, 4) + number(row.logLoss, 4)
                        + number(row.ece, 4))
            }
        }
        if let engine {
            let figures = String(
                format: "%.1f us an event (p99 %.1f), %.2f us a function and minute, %.0f us an outlook; "
                    + "%.0f MB by its tables, %.0f MB resident; saved in %.0f ms to %.0f MB; while a snapshot is encoded, "
                    + "the slowest event %.1f ms, all together %.1f ms more",
                engine.eventMean, engine.eventP99, engine.minuteMean, engine.outlookMean, engine.memoryMB,
                engine.residentMB, engine.saveMilliseconds, engine.fileMB, engine.pauseWorstMilliseconds,
                engine.pauseTotalMilliseconds)
            lines.append("")
            lines.append(
                "Engine with \(engine.functions) functions, \(engine.users) users, \(engine.events) events: " + figures)
        }
        for reason in skipped { lines.append("skipped: \(reason)") }
        return lines
    }
}
