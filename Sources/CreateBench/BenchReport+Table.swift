extension BenchReport {
    /// The rows as a table for a terminal; with a row named `baseline`, each row's p50 as a multiple of its p50.
    package func table(baseline: String = "floor") -> String {
        let base = self[baseline].map(\.p50)
        var lines = [["", "n", "p50 \(unit)", "p90 \(unit)", "p99 \(unit)"]]
        if base != nil { lines[0].append("p50 / \(baseline)") }
        for row in rows {
            var line = [row.name, String(row.n), tenths(row.p50), tenths(row.p90), tenths(row.p99)]
            if let base { line.append(base > 0 ? hundredths(row.p50 / base) + " x" : "-") }
            lines.append(line)
        }
        let widths = lines[0].indices.map { column in lines.map { $0[column].count }.max() ?? 0 }
        return lines.map { line in
            line.indices.map { column in
                let padding = String(repeating: " ", count: widths[column] - line[column].count)
                return column == 0 ? line[column] + padding : padding + line[column]
            }.joined(separator: "  ")
        }.joined(separator: "\n")
    }
}

private func tenths(_ value: Double) -> String {
    let scaled = Int64((value * 10).rounded())
    return "\(scaled < 0 ? "-" : "")\(abs(scaled) / 10).\(abs(scaled) % 10)"
}

private func hundredths(_ value: Double) -> String {
    let scaled = Int64((value * 100).rounded())
    let fraction = abs(scaled) % 100
    return "\(scaled < 0 ? "-" : "")\(abs(scaled) / 100).\(fraction < 10 ? "0" : "")\(fraction)"
}
