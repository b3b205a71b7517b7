import FoundationEssentials

/// What a benchmark found, in the JSON shape that other tools rely on:
/// `{"bench":"create","unit":"us","rows":[{"name":"hearth","n":500,"p50":0,"p90":0,"p99":0}]}`.
package struct BenchReport: Codable, Sendable, Equatable {
    package struct Row: Codable, Sendable, Equatable {
        package var name: String
        /// How many measurements.
        package var n: Int
        package var p50: Double
        package var p90: Double
        package var p99: Double

        package init(name: String, n: Int, p50: Double, p90: Double, p99: Double) {
            self.name = name
            self.n = n
            self.p50 = p50
            self.p90 = p90
            self.p99 = p99
        }

        /// Microseconds, to a tenth, from nanoseconds; nil without a measurement.
        package init?(name: String, nanoseconds: [Int64]) {
            guard let percentile = Percentiles(nanoseconds) else { return nil }
            func microseconds(_ percent: Int) -> Double { (Double(percentile(percent)) / 100).rounded() / 10 }
            self.init(
                name: name, n: nanoseconds.count, p50: microseconds(50), p90: microseconds(90), p99: microseconds(99))
        }
    }

    package var bench: String
    package var unit: String
    package var rows: [Row]

    package init(bench: String, unit: String, rows: [Row]) {
        self.bench = bench
        self.unit = unit
        self.rows = rows
    }

    package subscript(name: String) -> Row? { rows.first { $0.name == name } }

    /// One line of JSON.
    package func json() throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(self), as: UTF8.self)
    }
}
