import HearthClient
import Linux
import Wire

/// What `hearth top` shows: the statistics, and how fast they move between two refreshes.
struct TopView {
    private let node: String
    private var stats: HearthStatsResponse
    private var before: HearthStatsResponse?
    private var cursor: (value: UInt64, boot: String) = (0, "")
    /// Of the last interval, or of all time at the first look: the whole time of invocations by function.
    private var totals: [String: HearthHistogram] = [:]

    init(_ client: HearthClient) throws(HearthClientError) {
        node = try client.info().nodeName
        stats = try client.stats()
        try pull(client)
    }

    mutating func refresh(_ client: HearthClient) throws(HearthClientError) {
        before = stats
        stats = try client.stats()
        try pull(client)
    }

    private mutating func pull(_ client: HearthClient) throws(HearthClientError) {
        var request = HearthPullLatencyRequest()
        request.cursor = cursor.value
        request.bootID = cursor.boot
        let response: HearthPullLatencyResponse
        do throws(HearthClientError) {
            response = try client.pullLatency(request)
        } catch .agent(let error) where error.code == .failedPrecondition {
            // Away for too long: what was missed is in what comes now.
            request.cursor = 0
            response = try client.pullLatency(request)
        }
        cursor = (response.cursor, response.bootID)
        totals = [:]
        for series in response.series where series.phase == .total {
            totals[series.function, default: HearthHistogram()].merge(series.histogram)
        }
    }

    private func starts(_ function: HearthFunctionStats, _ kind: HearthStartKind) -> UInt64 {
        function.starts.first { $0.startKind == kind }?.count ?? 0
    }

    private func ended(_ function: HearthFunctionStats) -> UInt64 { function.outcomes.reduce(0) { $0 + $1.count } }

    private func failed(_ function: HearthFunctionStats) -> UInt64 {
        function.outcomes.reduce(0) { $0 + ($1.outcome == .ok ? 0 : $1.count) }
    }

    /// Invocations a second since the refresh before; nil at the first look.
    private func rate(_ function: HearthFunctionStats) -> Double? {
        guard let before, stats.uptimeNs > before.uptimeNs, stats.bootID == before.bootID else { return nil }
        let earlier = before.functions.first { $0.function == function.function }.map(ended) ?? 0
        let seconds = Double(stats.uptimeNs - before.uptimeNs) / 1e9
        return Double(ended(function) &- min(earlier, ended(function))) / seconds
    }

    private var busiest: [HearthFunctionStats] {
        stats.functions.sorted {
            let (a, b) = (rate($0) ?? Double(ended($0)), rate($1) ?? Double(ended($1)))
            return a != b ? a > b : $0.function < $1.function
        }
    }

    // MARK: Text

    func lines(width: Int) -> [String] {
        let figures = PoolFigures(stats)
        let memory = stats.memory
        var lines = [
            "hearth top - \(Terminal.printable(node)), up \(Format.duration(stats.uptimeNs)), "
                + "agent \(Format.bytes(memory.agentResidentBytes))",
            "memory     \(Self.bar(memory.usedBytes, memory.budgetBytes)) \(Format.bytes(memory.usedBytes)) of "
                + "\(Format.bytes(memory.budgetBytes)) budget, \(Format.bytes(memory.availableBytes)) free on the node",
            "tiers      "
                + (stats.tiers.isEmpty
                    ? "no sandboxes"
                    : stats.tiers.map { "\(Words.tier($0.tier)) \($0.sandboxes) (\(Format.bytes($0.memoryBytes)))" }
                        .joined(separator: ", ")),
        ]
        if !figures.isEmpty {
            lines.append(
                "requests   \(figures.count("pool.queued")) queued, \(figures.count("pool.running")) running; starts "
                    + "\(figures.count("pool.live_starts")) live, \(figures.count("pool.background_starts")) ahead")
            lines.append("threshold  \(figures.threshold)")
            if let ledger = figures.ledger() { lines.append("prefetch   \(ledger)") }
        }
        lines.append("")
        lines += table()
        return lines.map { $0.count > width ? String($0.prefix(width)) + (Terminal.hasColour ? "\u{1b}[0m" : "") : $0 }
    }

    private func table() -> [String] {
        var table = Table(
            ["FUNCTION", "COLD", "BARE", "RUNTIME", "PREFETCHED", "WARM", "FAILED", "RATE", "P50", "P99"],
            rightAligned: [1, 2, 3, 4, 5, 6, 7, 8, 9])
        for function in busiest {
            let histogram = totals[function.function]
            func at(_ share: Double) -> String { histogram?.quantile(share).map(Format.duration) ?? "-" }
            let kinds: [HearthStartKind] = [.cold, .bare, .runtime, .prefetched, .warm]
            var row = [function.function]
            for kind in kinds { row.append("\(starts(function, kind))") }
            let speed = rate(function).map { Figure.decimal($0, 1) + "/s" }
            row += ["\(failed(function))", speed ?? "-", at(0.5), at(0.99)]
            table.add(row)
        }
        return table.lines
    }

    private static func bar(_ used: UInt64, _ all: UInt64) -> String {
        let filled = all == 0 ? 0 : min(20, Int(Double(used) / Double(all) * 20 + 0.5))
        return "[" + String(repeating: "#", count: filled) + String(repeating: ".", count: 20 - filled) + "]"
    }

    // MARK: JSON

    var json: JSON.Value {
        .object([
            "node": .string(node), "uptime_ns": JSON.Value(stats.uptimeNs),
            "memory": .object([
                "used_bytes": JSON.Value(stats.memory.usedBytes), "budget_bytes": JSON.Value(stats.memory.budgetBytes),
                "available_bytes": JSON.Value(stats.memory.availableBytes),
                "agent_bytes": JSON.Value(stats.memory.agentResidentBytes),
            ]),
            "tiers": .array(
                stats.tiers.map {
                    .object([
                        "tier": .string(Words.tier($0.tier)), "sandboxes": JSON.Value($0.sandboxes),
                        "memory_bytes": JSON.Value($0.memoryBytes),
                    ])
                }),
            "gauges": .object(Dictionary(stats.gauges.map { ($0.name, .number($0.value)) }) { $1 }),
            "functions": .array(
                busiest.map { function in
                    let histogram = totals[function.function]
                    func at(_ share: Double) -> JSON.Value {
                        histogram?.quantile(share).map { JSON.Value($0 / 1000) } ?? .null
                    }
                    return .object([
                        "function": .string(function.function),
                        "starts": .object(
                            Dictionary(
                                function.starts.map { (Words.start($0.startKind), JSON.Value($0.count)) }
                            ) { $1 }),
                        "failed": JSON.Value(failed(function)), "p50_us": at(0.5), "p99_us": at(0.99),
                    ])
                }),
        ])
    }
}
