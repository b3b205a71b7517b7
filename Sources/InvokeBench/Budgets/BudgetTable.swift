import CreateBench

/// The budgets of the design, each beside what was measured.
package struct BudgetTable: Sendable {
    package struct Line: Sendable, Equatable {
        package var figure: String
        package var budget: String
        package var measured: String
        /// Nil where the figure is missing.
        package var isMet: Bool?
    }

    package let lines: [Line]

    package var allMet: Bool { lines.allSatisfy { $0.isMet == true } }

    package init(_ measurements: Measurements) {
        let ratios = Ratios(measurements)
        lines = [
            ratios.atMost(1.25, "create a sandbox, p50, to the C floor's", "create", "hearth", "floor"),
            ratios.atLeast(4, "bubblewrap's p50 to it", "create", "bwrap", "hearth"),
            ratios.atLeast(8, "crun's p50 to it", "create", "crun", "hearth"),
            ratios.atLeast(20, "runc's p50 to it", "create", "runc", "hearth"),
            ratios.amount(300, "us", "claim a bare sandbox, p50", "create", "hearth.bare"),
            ratios.atMost(1.5, "warm native echo, p50, to the relay's", "invoke", "hearth.warm", "relay"),
            ratios.atMost(3, "warm native echo, p99, to the relay's", "invoke", "hearth.warm", "relay", \.p99),
            ratios.atLeast(0.8, "creations sustained, to the floor's rate", "churn", "hearth", "floor"),
            ratios.atLeast(
                0.8, "the same, network namespaces made ahead", "churn", "hearth.netns", "floor.netns"),
            ratios.amount(32, "KiB", "PID 1 resident", "density", "pid1"),
            ratios.amount(64, "KiB", "nursery resident", "density", "nursery"),
            ratios.amount(512, "KiB", "a bare sandbox, all memory counted", "density", "hearth.bare"),
            ratios.amount(40_960, "KiB", "hearthd resident, 1,000 functions", "density", "hearthd.1000"),
            ratios.forecast(20, "one forecast event, 10,000 functions, mean"),
            ratios.amount(20_000, "us", "a plan of 10,000 entries, p50", "wire", "hearth.plan.10000"),
        ]
    }

    package func text() -> String {
        var rows = [["figure", "budget", "measured", ""]]
        rows += lines.map { line in
            [line.figure, line.budget, line.measured, line.isMet.map { $0 ? "met" : "not met" } ?? "not measured"]
        }
        let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        return rows.map { row in
            row.indices.map { column in
                let padding = String(repeating: " ", count: widths[column] - row[column].count)
                return column == 1 || column == 2 ? padding + row[column] : row[column] + padding
            }.joined(separator: "  ")
        }.joined(separator: "\n")
    }
}

/// Makes the lines.
private struct Ratios {
    private let measurements: Measurements

    init(_ measurements: Measurements) {
        self.measurements = measurements
    }

    func atMost(
        _ limit: Double, _ figure: String, _ bench: String, _ name: String, _ base: String,
        _ path: KeyPath<BenchReport.Row, Double> = \.p50
    ) -> BudgetTable.Line {
        ratio(figure, "<= \(text(limit)) x", bench, name, base, path) { $0 <= limit }
    }

    func atLeast(
        _ limit: Double, _ figure: String, _ bench: String, _ name: String, _ base: String
    ) -> BudgetTable.Line {
        ratio(figure, ">= \(text(limit)) x", bench, name, base, \.p50) { $0 >= limit }
    }

    private func ratio(
        _ figure: String, _ budget: String, _ bench: String, _ name: String, _ base: String,
        _ path: KeyPath<BenchReport.Row, Double>, _ isMet: (Double) -> Bool
    ) -> BudgetTable.Line {
        guard let row = measurements.row(bench, name), let other = measurements.row(bench, base),
            other[keyPath: path] > 0
        else { return BudgetTable.Line(figure: figure, budget: budget, measured: "-", isMet: nil) }
        let ratio = row[keyPath: path] / other[keyPath: path]
        return BudgetTable.Line(
            figure: figure, budget: budget,
            measured: "\(text(ratio)) x  (\(text(row[keyPath: path])) to \(text(other[keyPath: path])))",
            isMet: isMet(ratio))
    }

    func amount(
        _ limit: Double, _ unit: String, _ figure: String, _ bench: String, _ name: String
    ) -> BudgetTable.Line {
        line(figure, limit, unit, measurements.row(bench, name)?.p50)
    }

    func forecast(_ limit: Double, _ figure: String) -> BudgetTable.Line {
        line(figure, limit, "us", measurements.forecastEvent)
    }

    private func line(_ figure: String, _ limit: Double, _ unit: String, _ value: Double?) -> BudgetTable.Line {
        BudgetTable.Line(
            figure: figure, budget: "<= \(text(limit)) \(unit)", measured: value.map { "\(text($0)) \(unit)" } ?? "-",
            isMet: value.map { $0 <= limit })
    }

    /// Two digits after the point for small numbers, none for large ones.
    private func text(_ value: Double) -> String {
        if value == value.rounded() || value >= 100 { return String(Int64(value.rounded())) }
        let scaled = Int64((value * 100).rounded())
        let fraction = scaled % 100
        return "\(scaled / 100).\(fraction < 10 ? "0" : "")\(fraction)"
    }
}
