import Glibc

/// A policy over its knob: cold starts against waste.
package struct ParetoCurve: Sendable, Encodable {
    package struct Point: Sendable, Encodable {
        package var knob: String
        package var wasteRatio: Double
        package var removable: Int
    }

    package var family: String
    package var points: [Point]
}

extension MinuteReplay {
    /// The curves of the families that `specs` name, and the clairvoyant keep-alive's.
    package mutating func curves(for specs: [PolicySpec]) throws(ReplayError) -> [ParetoCurve] {
        var families: [String] = []
        for spec in specs where !families.contains(Self.family(spec)) { families.append(Self.family(spec)) }
        if !families.contains("clairvoyant-keep") { families.append("clairvoyant-keep") }
        var curves: [ParetoCurve] = []
        for family in families {
            var points: [ParetoCurve.Point] = []
            for text in Self.sweep(family) {
                let spec = try PolicySpec(text)
                let row = row(try run(spec))
                points.append(.init(knob: text, wasteRatio: row.wasteRatio, removable: row.removable))
            }
            points.sort { ($0.wasteRatio, $1.removable) < ($1.wasteRatio, $0.removable) }
            if !points.isEmpty { curves.append(ParetoCurve(family: family, points: points)) }
        }
        return curves
    }

    static func family(_ spec: PolicySpec) -> String {
        String(spec.text.split(separator: "@")[0].split(separator: ":")[0])
    }

    /// The knob's values that make up a family's curve.
    private static func sweep(_ family: String) -> [String] {
        switch family {
        case "fixed": return [1, 2, 3, 5, 7, 10, 15, 20, 30, 45, 60, 90, 120, 240].map { "fixed:\($0)" }
        case "hybrid", "hybrid-mean", "hybrid-arima":
            return ["15m", "30m", "1h", "2h", "4h", "8h"].map { "\(family):\($0)" }
        case "layered": return [0.3, 0.5, 0.65, 0.8, 0.9, 0.95, 0.99].map { "layered:\($0)" }
        case "lru", "lfu", "greedy-dual", "belady":
            return [5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100].map { "\(family):\($0)%" }
        case "hearth", "hearth-charged", "hazard":
            return stride(from: -7.5, through: 1.0, by: 0.5).map { "\(family):\(Format.fixed(exp($0), 6))" }
        case "hearth-budget": return [0.3, 0.5, 0.65, 0.85, 1, 1.3, 2, 3].map { "\(family):\($0)" }
        case "hearth-cold": return [0.5, 1, 2, 5, 10, 20].map { "\(family):\($0)%" }
        case "clairvoyant-keep": return [0.2, 0.3, 0.5, 0.65, 0.85, 1, 1.3, 2, 3].map { "\(family)@\($0)" }
        case "spes", "forever", "clairvoyant-prewarm", "clairvoyant-prewarm-known": return [family]
        default: return []
        }
    }
}
