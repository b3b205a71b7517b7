package import CreateBench
import FoundationEssentials
import Linux

/// The reports of a run of all benchmarks.
package struct Measurements: Sendable {
    private var reports: [String: BenchReport] = [:]
    /// Mean microseconds of one forecast event at 10,000 functions.
    package private(set) var forecastEvent: Double?

    /// What is not there or cannot be read is missing, not an error: the table says so.
    package init(directory: String) {
        for name in ["create", "invoke", "churn", "density", "wire"] {
            guard let bytes = try? Files.read("\(directory)/\(name).json", limit: 16 << 20) else { continue }
            reports[name] = try? JSONDecoder().decode(BenchReport.self, from: Data(bytes))
        }
        if let bytes = try? Files.read("\(directory)/forecast.json", limit: 64 << 20) {
            forecastEvent = (try? JSONDecoder().decode(Forecast.self, from: Data(bytes)))?.engine?.eventMean
        }
    }

    package init(_ reports: [BenchReport], forecastEvent: Double? = nil) {
        for report in reports { self.reports[report.bench] = report }
        self.forecastEvent = forecastEvent
    }

    func row(_ bench: String, _ name: String) -> BenchReport.Row? { reports[bench]?[name] }

    /// The part of `hearth-bench forecast --json` that has a budget.
    private struct Forecast: Decodable {
        struct Engine: Decodable {
            var eventMean: Double
        }
        var engine: Engine?
    }
}
