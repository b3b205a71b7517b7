import CreateBench
import Testing

@testable import InvokeBench

@Suite("The table of budgets")
struct BudgetTableTests {
    private func report(_ bench: String, _ rows: [(String, Double, Double)]) -> BenchReport {
        BenchReport(
            bench: bench, unit: "us",
            rows: rows.map { BenchReport.Row(name: $0.0, n: 10, p50: $0.1, p90: $0.2, p99: $0.2) })
    }

    @Test("a ratio at its limit is met, one beyond is not, and a missing figure is neither")
    func ratios() throws {
        let create = report(
            "create", [("hearth", 125, 200), ("floor", 100, 150), ("bwrap", 499, 600), ("crun", 1000, 1100)])
        let table = BudgetTable(Measurements([create]))
        func line(_ beginning: String) throws -> BudgetTable.Line {
            try #require(table.lines.first { $0.figure.hasPrefix(beginning) })
        }
        #expect(try line("create a sandbox").isMet == true)
        #expect(try line("bubblewrap").isMet == false)
        #expect(try line("crun").isMet == true)
        #expect(try line("runc").isMet == nil)
        #expect(try line("warm native echo").isMet == nil)
        #expect(!table.allMet)
    }

    @Test("amounts and the forecast are compared in their own units")
    func amounts() throws {
        let density = report("density", [("pid1", 33, 33), ("nursery", 64, 64), ("hearthd.1000", 40_960, 40_960)])
        let table = BudgetTable(Measurements([density], forecastEvent: 20.5))
        let met = Dictionary(uniqueKeysWithValues: table.lines.map { ($0.figure, $0.isMet) })
        #expect(met["PID 1 resident"] == .some(false))
        #expect(met["nursery resident"] == .some(true))
        #expect(met["hearthd resident, 1,000 functions"] == .some(true))
        #expect(met["one forecast event, 10,000 functions, mean"] == .some(false))
    }

    @Test("every line of the text has a verdict")
    func text() {
        let text = BudgetTable(Measurements([])).text().split(separator: "\n")
        #expect(text.count == BudgetTable(Measurements([])).lines.count + 1)
        #expect(text.dropFirst().allSatisfy { $0.hasSuffix("not measured") })
    }
}
