/// The HTML report of an event replay.
struct EventPage {
    let trace: EventTrace
    let report: EventReport
    let outcomes: [EventOutcome]

    func html() -> HTMLPage {
        var page = HTMLPage(title: "Event replay of \(trace.name)")
        page.section(
            "What each policy gave",
            """
            \(trace.units.count) functions, \(trace.requests.count) requests; \(Format.fixed(report.neededMB, 0)) MB \
            would hold every sandbox ever made at the worst moment (100 % of need). A miss is a request that found \
            no sandbox ready for it; start time runs from the request's arrival to its code.
            """, figure: table())
        if report.rows.contains(where: { $0.budgetMB.isFinite }) {
            page.section(
                "Misses against memory", "Lower is better.",
                figure: chart("misses, % of requests", \.missPct, floor: 0.01))
            page.section(
                "Mean start time against memory", "",
                figure: chart("mean start, ms", \.startMsMean, floor: 0.001))
        }
        page.section(
            "How requests started",
            "At each budget: requests that found their function ready (warm or prefetched), and all others.",
            figure: bars())
        if !foreseen.isEmpty {
            page.section(
                "What became of prefetches",
                """
                Sandboxes made for a forecast: used, used but only while still being made, or let go unused. Set a policy's \
                misses beside those of "pool", which has no forecasts, to see what they brought.
                """, figure: prefetchTable())
        }
        if !thresholds.isEmpty {
            page.section(
                "The threshold over time",
                "The confidence a forecast must have before its function is prefetched.", figure: thresholdChart())
        }
        return page
    }

    private func table() -> String {
        HTMLPage.table(
            header: [
                "policy", "budget MB", "of need", "miss %", "cold", "bare", "runtime", "prefetched", "warm", "queued",
                "rejected", "p50 ms", "p95 ms", "p99 ms", "idle GB h",
            ],
            rows: report.rows.map {
                [
                    $0.policy, Format.fixed($0.budgetMB, 0), Format.fixed(100 * $0.budgetShare, 0) + " %",
                    Format.fixed($0.missPct, 2), String($0.cold), String($0.bare), String($0.runtime),
                    String($0.prefetched), String($0.warm), String($0.queued), String($0.rejected),
                    Format.fixed($0.startMsP50, 2), Format.fixed($0.startMsP95, 1), Format.fixed($0.startMsP99, 1),
                    Format.fixed($0.idleGBHours, 1),
                ]
            })
    }

    private func chart(_ title: String, _ value: (EventRow) -> Double, floor: Double) -> String {
        var names: [String] = []
        for row in report.rows where !names.contains(row.policy) { names.append(row.policy) }
        let series = names.enumerated().map { index, name in
            LineChart.Series(
                name: name,
                points: report.rows.filter { $0.policy == name && $0.budgetMB.isFinite }.map {
                    .init(
                        x: 100 * $0.budgetShare, y: max(value($0), floor),
                        tip: "\(Format.fixed($0.budgetMB, 0)) MB: \(Format.short(value($0)))")
                }, style: ChartStyle(index))
        }
        let points = series.flatMap(\.points)
        return LineChart(
            title: title, x: ChartAxis("memory budget, % of need", .linear, covering: points.map(\.x) + [0]),
            y: ChartAxis(title, .log, covering: points.map(\.y)), series: series.filter { !$0.points.isEmpty }
        ).svg()
    }

    private func bars() -> String {
        BarChart(
            title: "Starts", solidName: "ready", hatchedName: "not ready", unit: "requests",
            bars: report.rows.map {
                .init(
                    name: "\($0.policy), \(Format.fixed(100 * $0.budgetShare, 0)) %",
                    solid: Double($0.warm + $0.prefetched), hatched: Double($0.cold + $0.bare + $0.runtime))
            }
        ).svg()
    }

    private var foreseen: [EventRow] {
        report.rows.filter { $0.prefetchHits + $0.prefetchLate + $0.prefetchWasted > 0 }
    }

    private func prefetchTable() -> String {
        HTMLPage.table(
            header: ["policy", "of need", "used", "late", "unused", "used %", "miss %", "without forecasts"],
            rows: foreseen.map { row in
                let all = row.prefetchHits + row.prefetchLate + row.prefetchWasted
                let plain = report.rows.first { $0.policy == "pool" && $0.budgetMB == row.budgetMB }
                return [
                    row.policy, Format.fixed(100 * row.budgetShare, 0) + " %", String(row.prefetchHits),
                    String(row.prefetchLate), String(row.prefetchWasted),
                    Format.fixed(100 * Double(row.prefetchHits) / Double(max(1, all)), 1), Format.fixed(row.missPct, 2),
                    plain.map { Format.fixed($0.missPct, 2) } ?? "-",
                ]
            })
    }

    private var thresholds: [EventOutcome] { outcomes.filter { $0.thresholds.count > 1 } }

    private func thresholdChart() -> String {
        let series = thresholds.enumerated().map { index, outcome in
            let stride = max(1, outcome.thresholds.count / 600)
            return LineChart.Series(
                name: "\(outcome.policy), \(Format.fixed(outcome.budgetMB, 0)) MB",
                points: outcome.thresholds.enumerated().filter { $0.offset % stride == 0 }.map {
                    .init(x: $0.element.seconds / 3600, y: max($0.element.value, 1e-4))
                }, style: ChartStyle(index), markers: false)
        }
        let points = series.flatMap(\.points)
        return LineChart(
            title: "Threshold over time", x: ChartAxis("hour", .linear, covering: points.map(\.x) + [0]),
            y: ChartAxis("threshold", .log, covering: points.map(\.y)), series: series
        ).svg()
    }
}
