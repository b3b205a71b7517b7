import HearthClient
import Wire

/// The gauges of StatsResponse by name.
struct PoolFigures {
    private var values: [String: Double] = [:]

    init(_ stats: HearthStatsResponse) {
        for gauge in stats.gauges { values[gauge.name] = gauge.value }
    }

    subscript(_ name: String) -> Double? { values[name] }

    var isEmpty: Bool { values.isEmpty }

    /// A whole number; "" where the agent does not say.
    func count(_ name: String) -> String { values[name].map { "\(Int($0.rounded()))" } ?? "" }

    /// "0.50 (rising: ...)": the confidence threshold, and where its controller moves it.
    var threshold: String {
        guard let confidence = self["threshold.confidence"] else { return "not told" }
        var text = "\(Figure.decimal(confidence, 2)), moved \(count("threshold.moves")) times"
        if let pressure = self["pool.memory_pressure"], pressure > 0 { return text + "; rising: memory is short" }
        guard let target = self["threshold.target_ms"], let wait = self["threshold.start_wait_p95_ms"], target > 0
        else {
            return text
        }
        text += "; p95 of the start wait \(Figure.decimal(wait, 1)) ms against \(Figure.decimal(target, 0)) ms: "
        // The controller's band (ThresholdController.Settings.hysteresis).
        return text + (wait > 1.2 * target ? "falling" : wait < 0.8 * target ? "rising" : "resting")
    }

    /// "started 4, hit 3, late 0, wasted 1", by everybody who asked or by one source.
    func ledger(_ prefix: String = "ledger") -> String? {
        guard self[prefix + ".started"] != nil else { return nil }
        var parts = ["started", "hit", "late", "wasted", "void"].map { "\($0) \(count("\(prefix).\($0)"))" }
        if let lead = self[prefix + ".lead_mean_ms"], lead > 0 { parts.append("lead \(Figure.decimal(lead, 0)) ms") }
        if let hit = self[prefix + ".hit_mb_s"], let wasted = self[prefix + ".wasted_mb_s"] {
            parts.append("MB s \(Figure.decimal(hit, 1)) hit, \(Figure.decimal(wasted, 1)) wasted")
        }
        return parts.joined(separator: ", ")
    }

    /// Those who asked for prefetches, by name.
    var sources: [String] {
        values.keys.compactMap { name in
            let parts = name.split(separator: ".")
            return parts.count == 3 && parts[0] == "ledger" && parts[2] == "started" ? String(parts[1]) : nil
        }.sorted()
    }
}

/// Numbers with a fixed number of decimals.
enum Figure {
    static func decimal(_ value: Double, _ digits: Int) -> String {
        guard value.isFinite, abs(value) < 1e15 else { return "?" }
        var scale = 1.0
        for _ in 0..<digits { scale *= 10 }
        let scaled = Int((abs(value) * scale).rounded())
        let sign = value < 0 && scaled > 0 ? "-" : ""
        guard digits > 0 else { return "\(sign)\(scaled)" }
        let rest = String(scaled % Int(scale))
        return "\(sign)\(scaled / Int(scale))." + String(repeating: "0", count: digits - rest.count) + rest
    }
}
