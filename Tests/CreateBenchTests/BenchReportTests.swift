import FoundationEssentials
import Testing

@testable import CreateBench

@Suite("BenchReport")
struct BenchReportTests {
    private let report = BenchReport(
        bench: "create", unit: "us",
        rows: [
            .init(name: "floor", n: 500, p50: 800, p90: 1200.5, p99: 3000),
            .init(name: "bwrap", n: 500, p50: 4000, p90: 4100, p99: 5000),
        ])

    @Test("the JSON has the shape that other tools rely on")
    func shape() throws {
        let value = try JSONDecoder().decode(BenchReport.self, from: Data(try report.json().utf8))
        #expect(value == report)
        let json = try report.json()
        for key in ["\"bench\":\"create\"", "\"unit\":\"us\"", "\"rows\":[{", "\"name\":\"floor\"", "\"n\":500"] {
            #expect(json.contains(key))
        }
        #expect(!json.contains("\n"))
    }

    @Test("nanoseconds become microseconds to a tenth")
    func rounding() throws {
        let row = try #require(BenchReport.Row(name: "x", nanoseconds: [1_234_567, 1_234_567, 9_000_050]))
        #expect(row.p50 == 1234.6)
        #expect(row.p99 == 9000.1)
        #expect(row.n == 3)
        #expect(BenchReport.Row(name: "x", nanoseconds: []) == nil)
    }

    @Test("the table gives each row as a multiple of the floor")
    func ratios() {
        let lines = report.table().split(separator: "\n")
        #expect(lines.count == 3)
        #expect(lines[0].hasSuffix("p50 / floor"))
        #expect(lines[1].hasSuffix("1.00 x"))
        #expect(lines[2].hasSuffix("5.00 x"))
        #expect(Set(lines.map(\.count)).count == 1, "the columns line up")
    }

    @Test("without a floor there are no ratios")
    func noBaseline() {
        #expect(!report.table(baseline: "hearth").contains(" x"))
    }
}
