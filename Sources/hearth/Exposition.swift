/// Metric families in the text format that Prometheus reads
/// (https://prometheus.io/docs/instrumenting/exposition_formats/, version 0.0.4).
struct Exposition {
    enum Kind: String {
        case counter, gauge, histogram
    }

    private(set) var text = ""
    private var families: Set<String> = []

    typealias Labels = [(name: String, value: String)]

    /// One family: its help, its type and a line a sample. Left out where there is no sample, or a family of that name already.
    mutating func family(_ name: String, _ kind: Kind, _ help: String, _ samples: [(labels: Labels, value: Double)]) {
        guard !samples.isEmpty, begin(name, kind, help) else { return }
        for sample in samples { line(name, sample.labels, sample.value) }
    }

    mutating func gauge(_ name: String, _ help: String, _ value: Double) {
        family(name, .gauge, help, [([], value)])
    }

    /// One histogram with cumulative buckets; `bounds` ascend, and the last bucket, +Inf, is all.
    struct Histogram {
        var labels: Labels
        var cumulative: [(bound: Double, count: UInt64)]
        var total: UInt64
        var sum: Double
    }

    mutating func histograms(_ name: String, _ help: String, _ histograms: [Histogram]) {
        guard !histograms.isEmpty, begin(name, .histogram, help) else { return }
        for histogram in histograms {
            for (bound, count) in histogram.cumulative {
                line(name + "_bucket", histogram.labels + [("le", Self.number(bound))], Double(count))
            }
            line(name + "_bucket", histogram.labels + [("le", "+Inf")], Double(histogram.total))
            line(name + "_sum", histogram.labels, histogram.sum)
            line(name + "_count", histogram.labels, Double(histogram.total))
        }
    }

    private mutating func begin(_ name: String, _ kind: Kind, _ help: String) -> Bool {
        guard families.insert(name).inserted else { return false }
        text += "# HELP \(name) \(help)\n# TYPE \(name) \(kind.rawValue)\n"
        return true
    }

    private mutating func line(_ name: String, _ labels: Labels, _ value: Double) {
        text += name
        if !labels.isEmpty {
            text += "{" + labels.map { "\($0.name)=\"\(Self.escaped($0.value))\"" }.joined(separator: ",") + "}"
        }
        text += " \(Self.number(value))\n"
    }

    /// Backslash, quote and line feed have meanings in a label's value; all else is taken as it is.
    static func escaped(_ value: String) -> String {
        var result = ""
        for character in value.unicodeScalars {
            switch character {
            case "\\": result += "\\\\"
            case "\"": result += "\\\""
            case "\n": result += "\\n"
            default: result.unicodeScalars.append(character)
            }
        }
        return result
    }

    static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value > 0 ? "+Inf" : "-Inf" }
        return value == value.rounded() && abs(value) < 1e15 ? "\(Int64(value))" : "\(value)"
    }

    /// A name of a gauge as the agent has it, "pool.budget_used_ratio", as one of a metric.
    static func name(_ text: String) -> String {
        "hearth_"
            + String(
                text.map { $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "_" })
    }
}
