import Glibc

/// The HTML report of a minute replay.
struct MinutePage {
    /// More lines than this cannot be told apart; the policies named first are drawn.
    private static let crowd = 9

    let trace: MinuteTrace
    let report: MinuteReport
    let outcomes: [PolicyOutcome]
    let curves: [ParetoCurve]
    let calibrations: [Calibration]

    func html() -> HTMLPage {
        var page = HTMLPage(title: "Replay of \(trace.name)")
        page.section(
            "What each policy cost",
            """
            \(trace.units.count) units over \(trace.minutes) minutes, \(trace.activeMinuteCount) of their minutes \
            active. A unit is cold at an active minute if it is not loaded; waste is time loaded without activity, \
            relative to a fixed keep-alive of 10 minutes; "charged" adds one minute for every load.
            """, figure: table())
        page.section(
            "Cold starts against memory",
            """
            Lower and further left is better. Each line is a policy over its knob. Cold starts that are a unit's first \
            are left out: no policy that learns from the trace alone can remove those.
            """, figure: pareto())
        page.section(
            "Cold starts by unit",
            "The share of units whose cold starts are at most so many percent of their invocations. Higher is better.",
            figure: distribution())
        page.section(
            "Where the waste went",
            """
            Unit-hours loaded without activity: before a use that found the unit loaded, and in stretches that ended \
            without one.
            """, figure: wasteBars())
        page.section("Waste over time", "Units loaded without activity, by hour of the trace.", figure: wasteLines())
        if !calibrations.isEmpty {
            page.section(
                "Can the probabilities be believed?",
                """
                Forecast probability of being active in the next minute against what happened; on the dotted line the \
                two agree. A marker's size tells how many forecasts it stands for.
                """, figure: calibration() + calibrationTable())
        }
        if !report.sources.isEmpty {
            page.section(
                "What each source of the forecasts brought",
                """
                The agent's forecasts once more with one source left out, at the same waste: the cold starts that it \
                saved, beyond those that the other sources save in its place. One that brings nothing here may still \
                be worth having elsewhere; one below zero costs more than it tells.
                """, figure: HTMLPage.table(header: SourceRow.header, rows: report.sources.map(\.cells)))
        }
        if outcomes.contains(where: { $0.prices.count > 1 }) {
            page.section(
                "The price over time",
                """
                A unit is loaded while its odds exceed the price. Controllers move it to hold their target; a constant \
                price is a level line.
                """, figure: prices())
        }
        return page
    }

    private func table() -> String {
        HTMLPage.table(
            header: [
                "policy", "cold", "removable", "per 100 active", "P50 %", "P75 %", "P90 %", "loads", "waste", "charged",
                "GB h", "knob",
            ],
            rows: report.rows.map {
                [
                    $0.policy, String($0.cold), String($0.removable), Format.fixed($0.coldPctActive, 2),
                    Format.fixed($0.coldPctP50, 1), Format.fixed($0.coldPctP75, 1), Format.fixed($0.coldPctP90, 1),
                    String($0.loads), Format.fixed($0.wasteRatio, 3), Format.fixed($0.chargedRatio, 3),
                    Format.fixed($0.wasteGBHours, 1), $0.knob,
                ]
            })
    }

    private func pareto() -> String {
        let series = curves.enumerated().map { index, curve in
            LineChart.Series(
                name: curve.family,
                points: curve.points.map {
                    .init(
                        x: max($0.wasteRatio, 0.01), y: Double(max($0.removable, 1)),
                        tip: "\($0.knob): waste \(Format.fixed($0.wasteRatio, 3)), \($0.removable) removable cold")
                }, style: ChartStyle(index))
        }
        let points = series.flatMap(\.points)
        return LineChart(
            title: "Removable cold starts against waste",
            x: ChartAxis("waste relative to fixed-10", .log, covering: points.map(\.x)),
            y: ChartAxis("removable cold starts", .log, covering: points.map(\.y)), series: series
        ).svg()
    }

    private func distribution() -> String {
        let series = outcomes.prefix(Self.crowd).enumerated().map { index, outcome in
            let percents = zip(trace.units, outcome.tallies).map {
                100 * Double($1.cold) / Double(max(1, $0.invocations))
            }.sorted()
            let steps = stride(from: 0, through: 100, by: 2).map { limit in
                LineChart.Point(
                    x: Double(limit),
                    y: 100 * Double(percents.count { $0 <= Double(limit) }) / Double(max(1, percents.count)))
            }
            return LineChart.Series(name: outcome.policy, points: steps, style: ChartStyle(index), markers: false)
        }
        return LineChart(
            title: "Distribution of cold starts over units",
            x: ChartAxis("cold starts, % of the unit's invocations", .linear, covering: [0, 100]),
            y: ChartAxis("% of units", .linear, covering: [0, 100]), series: series
        ).svg()
    }

    private func wasteBars() -> String {
        BarChart(
            title: "Waste by policy", solidName: "before a use", hatchedName: "in vain", unit: "h",
            bars: outcomes.map {
                .init(
                    name: $0.policy, solid: Double($0.waste - $0.unusedWaste) / 60, hatched: Double($0.unusedWaste) / 60
                )
            }
        ).svg()
    }

    private func wasteLines() -> String {
        let series = outcomes.prefix(Self.crowd).enumerated().map { index, outcome in
            LineChart.Series(
                name: outcome.policy,
                points: outcome.wasteByHour.enumerated().map { .init(x: Double($0) + 0.5, y: Double($1) / 60) },
                style: ChartStyle(index), markers: false)
        }
        return LineChart(
            title: "Waste over time",
            x: ChartAxis("hour", .linear, covering: [0, Double(trace.minutes) / 60]),
            y: ChartAxis("units idle but loaded", .linear, covering: series.flatMap { $0.points.map(\.y) } + [0]),
            series: series
        ).svg()
    }

    private func calibration() -> String {
        let most = log(Double(calibrations.flatMap { $0.bins.map(\.count) }.max() ?? 1) + 1)
        let series = calibrations.enumerated().map { index, item in
            let used = item.bins.filter { $0.count >= 20 && $0.active > 0 }
            return LineChart.Series(
                name: "\(item.model) (error \(Format.short(item.ece)))",
                points: used.map {
                    .init(
                        x: $0.forecast / Double($0.count), y: Double($0.active) / Double($0.count),
                        tip: "\($0.count) forecasts", size: 2 + 5 * log(Double($0.count) + 1) / most)
                }, style: ChartStyle(index))
        }
        let all = series.flatMap(\.points)
        return LineChart(
            title: "Calibration",
            x: ChartAxis("forecast probability", .log, covering: all.map(\.x), atLeast: 0.001...1),
            y: ChartAxis("observed frequency", .log, covering: all.map(\.y), atLeast: 0.001...1), series: series,
            diagonal: true
        ).svg()
    }

    private func calibrationTable() -> String {
        HTMLPage.table(
            header: ["model", "active within", "forecasts", "Brier", "log-loss", "calibration error"],
            rows: report.calibration.map {
                [
                    $0.model, "\($0.horizonMinutes) min", String($0.forecasts), Format.short($0.brier),
                    Format.short($0.logLoss), Format.short($0.ece),
                ]
            })
    }

    private func prices() -> String {
        let end = Double(trace.minutes) / 60
        let series = outcomes.filter { !$0.prices.isEmpty }.prefix(10).enumerated().map { index, outcome in
            var points = outcome.prices.map {
                LineChart.Point(x: Double($0.minute) / 60, y: max($0.lambda, 1e-5))
            }
            // Long traces: a point every few minutes is more than a page shows.
            let stride = max(1, points.count / 600)
            points = points.enumerated().filter { $0.offset % stride == 0 }.map(\.element)
            if let last = points.last { points.append(.init(x: end, y: last.y)) }
            return LineChart.Series(name: outcome.policy, points: points, style: ChartStyle(index), markers: false)
        }
        return LineChart(
            title: "Price over time", x: ChartAxis("hour", .linear, covering: [0, end]),
            y: ChartAxis("lambda", .log, covering: series.flatMap { $0.points.map(\.y) }), series: series
        ).svg()
    }
}
