import FoundationEssentials

/// The results of a minute replay, as text and as JSON.
package struct MinuteReport: Sendable, Encodable {
    package var trace: String
    package var units: Int
    package var minutes: Int
    package var seed: UInt64
    package var rows: [PolicyRow]
    package var calibration: [CalibrationRow]
    /// What each source of the agent's forecasts brought; empty unless asked for.
    package var sources: [SourceRow]
    /// Seconds of wall time.
    package var seconds: Double

    package func text() -> [String] {
        var table = TextTable(header: [
            "policy", "cold", "removable", "per 100 active", "P50 %", "P75 %", "P90 %", "loads", "waste", "charged",
            "GB h", "RUM", "knob",
        ])
        for row in rows {
            table.add([
                row.policy, String(row.cold), String(row.removable), Format.fixed(row.coldPctActive, 2),
                Format.fixed(row.coldPctP50, 1), Format.fixed(row.coldPctP75, 1), Format.fixed(row.coldPctP90, 1),
                String(row.loads), Format.fixed(row.wasteRatio, 3), Format.fixed(row.chargedRatio, 3),
                Format.fixed(row.wasteGBHours, 1), Format.fixed(row.rum, 0), row.knob,
            ])
        }
        let active = rows.first?.activeMinutes ?? 0
        let invocations = rows.first?.invocations ?? 0
        var lines = [
            "\(trace): \(units) units, \(minutes) minutes, \(active) active, \(invocations) invocations", "",
        ]
        lines += table.lines()
        if !calibration.isEmpty {
            lines += [""] + calibration.map(\.text)
        }
        if !sources.isEmpty {
            var table = TextTable(header: SourceRow.header)
            for row in sources { table.add(row.cells) }
            lines += ["", "What each source of the forecasts brought:"] + table.lines()
        }
        return lines
    }
}

/// `--json` of anything.
enum JSONText {
    static func encode(_ value: some Encodable) throws(ReplayError) -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        do {
            return String(decoding: try encoder.encode(value), as: UTF8.self)
        } catch {
            // Only a number that is not finite can fail here.
            throw .unsuitable(reason: "the result cannot be written as JSON: \(error)")
        }
    }
}
