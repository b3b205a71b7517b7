import Forecast
import Foundation
import Testing

@testable import Replay

@Suite struct CommandTests {
    /// Four functions over 200 minutes: two periodic, one irregular, one rare.
    private static func matrix() -> String {
        var random = SeededGenerator(seed: 3)
        let header = "HashOwner,HashApp,HashFunction,Trigger," + (1...200).map(String.init).joined(separator: ",")
        let rules: [(Int) -> Bool] = [
            { $0 % 7 == 0 }, { $0 % 20 == 3 }, { _ in false }, { $0 == 100 },
        ]
        var lines = [header]
        for (index, rule) in rules.enumerated() {
            let cells = (1...200).map { minute -> String in
                let active = index == 2 ? Int.random(in: 0..<12, using: &random) == 0 : rule(minute)
                return active ? "2" : "0"
            }
            lines.append("o,a\(index / 2),f\(index),http," + cells.joined(separator: ","))
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private func run(_ change: (inout ReplayOptions) -> Void, policies: String) throws -> [String] {
        let folder = try TemporaryFolder()
        var options = try ReplayOptions(
            traces: [try folder.write("m.csv", Self.matrix())], policies: try PolicySpec.parse(list: policies))
        change(&options)
        var lines: [String] = []
        try ReplayCommand.run(options: options, output: { lines.append($0) })
        return lines
    }

    @Test func jsonKeepsItsContract() throws {
        let lines = try run({ $0.json = true }, policies: "fixed:10,hearth@0.65")
        #expect(lines.count == 1)
        let object = try JSONSerialization.jsonObject(with: Data(lines[0].utf8)) as? [String: Any]
        #expect(object?["trace"] as? String == "m.csv")
        let rows = try #require(object?["rows"] as? [[String: Any]])
        #expect(rows.map { $0["policy"] as? String } == ["fixed:10", "hearth@0.65"])
        for key in [
            "cold", "first_cold", "loads", "invocations", "active_minutes", "waste_minutes", "waste_ratio",
            "cold_pct_p50", "cold_pct_p75", "cold_pct_p90",
        ] {
            #expect(rows.allSatisfy { $0[key] is NSNumber }, "\(key)")
        }
        #expect(rows[0]["waste_ratio"] as? Double == 1)
        #expect(rows[0]["first_cold"] as? Int == 4)
    }

    @Test func sourcesAreJudgedAtTheWasteOfTheRows() throws {
        let lines = try run(
            {
                $0.json = true
                $0.sources = true
            }, policies: "fixed:10,hearth@0.5,hearth@1,hearth-budget:1,hazard@2")
        let object = try JSONSerialization.jsonObject(with: Data(lines[0].utf8)) as? [String: Any]
        let sources = try #require(object?["sources"] as? [[String: Any]])
        // Nobody's callers are known in this trace, and waste that differs by less than anyone sees is asked for once.
        let labels = OccurrenceSource.allCases.filter { $0 != .users }.map(\.label)
        #expect(Set(sources.compactMap { $0["source"] as? String }) == Set(labels))
        // Two of the four come at fixed distances: without periods the forecast is another one.
        let periods = try #require(sources.first { $0["source"] as? String == OccurrenceSource.periods.label })
        #expect(periods["log_loss"] as? Double != periods["log_loss_without"] as? Double)
        let rows = try #require(object?["rows"] as? [[String: Any]])
        let wastes = rows.filter { ($0["policy"] as? String ?? "").hasPrefix("hearth") }.compactMap {
            $0["waste_ratio"] as? Double
        }
        #expect(Set(sources.compactMap { $0["waste_ratio"] as? Double }).isSubset(of: wastes))
        let cold = rows.first { $0["policy"] as? String == "hearth@0.5" }?["cold"] as? Int
        #expect(sources.first?["cold"] as? Int == cold)
        #expect(try run({ _ in }, policies: "hearth@1").allSatisfy { !$0.contains("brought") })
        let text = try run({ $0.sources = true }, policies: "hearth@1")
        #expect(text.count { line in labels.contains { line.hasPrefix($0) } } == labels.count)
    }

    /// Functions that come every few minutes, in memory for some of them: forecasts bring them, and the page says so.
    @Test func theEventPageTellsOfPrefetches() throws {
        let folder = try TemporaryFolder()
        var lines: [String] = []
        for minute in 0..<400 {
            for function in 0..<12 where minute % (3 + function) == 0 {
                let time = minute * 60_000 + 30_000
                lines.append(#"{"t_ms":\#(time),"function":"f\#(function)","duration_ms":500,"memory_mb":128}"#)
            }
        }
        let page = "\(folder.path)/out.html"
        var options = try ReplayOptions(
            traces: [try folder.write("t.jsonl", lines.joined(separator: "\n") + "\n")], mode: .event,
            policies: try PolicySpec.parse(list: "hearth,pool"))
        options.budgets = [.shareOfNeed(0.5)]
        options.report = page
        options.json = true
        var output = ""
        try ReplayCommand.run(options: options, output: { output += $0 })
        let object = try JSONSerialization.jsonObject(with: Data(output.utf8)) as? [String: Any]
        let rows = try #require(object?["rows"] as? [[String: Any]])
        let hits = try #require(rows.first?["prefetch_hits"] as? Int)
        #expect(hits > 200)
        let html = try String(contentsOfFile: page, encoding: .utf8)
        let section = try #require(html.components(separatedBy: "What became of prefetches").dropFirst().first)
        let table = section.components(separatedBy: "</table>")[0]
        #expect(table.contains("<td>\(hits)</td>"))
        let without = try #require(rows.last?["miss_pct"] as? Double)
        #expect(table.contains("<td>\(Format.fixed(without, 2))</td>"), "what the pool missed without forecasts")
    }

    @Test func sourcesAreAskedForInVainNowhere() throws {
        for (mode, policies) in [(ReplayOptions.Mode.event, "hearth"), (.minute, "fixed:10,hazard@1")] {
            #expect(throws: ReplayError.self) {
                try run(
                    {
                        $0.mode = mode
                        $0.sources = true
                    }, policies: policies)
            }
        }
    }

    @Test func theSameTwice() throws {
        // All but the time it took.
        func lines() throws -> [String] {
            try run({ _ in }, policies: "hearth@0.65,hearth-budget:1,hybrid:1h,spes,greedy-dual:50%")
        }
        #expect(try lines() == lines())
    }

    @Test func tablesAlign() throws {
        let lines = try run({ _ in }, policies: "fixed:10,forever,clairvoyant-prewarm")
        #expect(lines[0].hasPrefix("m.csv: 4 units, 200 minutes"))
        #expect(Set(lines[2...5].map(\.count)).count == 1)
    }

    @Test func eventModeRunsTheAgentsPool() throws {
        let lines = try run(
            {
                $0.mode = .event
                $0.json = true
                $0.budgets = [.shareOfNeed(0.5), .shareOfNeed(1)]
                $0.sizing = .coldShare(0.5)
            }, policies: "hearth,hazard,pool,greedy-dual:100%,fixed:10,forever")
        let object = try JSONSerialization.jsonObject(with: Data(lines[0].utf8)) as? [String: Any]
        let rows = try #require(object?["rows"] as? [[String: Any]])
        // `forever` needs no budget: it is run once.
        #expect(rows.count == 11)
        for row in rows {
            let parts = ["cold", "bare", "runtime", "prefetched", "warm", "rejected"].map { row[$0] as? Int ?? -1 }
            #expect(parts.reduce(0, +) == row["invocations"] as? Int)
        }
        #expect((object?["advice"] as? [String])?.count == 5)
    }

    @Test(arguments: [ReplayOptions.Mode.minute, .event])
    func reportsAreSelfContained(_ mode: ReplayOptions.Mode) throws {
        let folder = try TemporaryFolder()
        let page = "\(folder.path)/out.html"
        _ = try run(
            {
                $0.mode = mode
                $0.report = page
            }, policies: mode == .minute ? "hearth@0.65,hearth-budget:1,hybrid:1h,fixed:10,spes" : "hearth,lru:100%")
        let html = try String(contentsOfFile: page, encoding: .utf8)
        #expect(html.hasPrefix("<!doctype html>"))
        for outside in ["http://", "https://", "<script", "<link", "@import", "url(http"] {
            #expect(!html.contains(outside), "\(outside)")
        }
        #expect(html.components(separatedBy: "<svg").count == html.components(separatedBy: "</svg>").count)
        #expect(html.components(separatedBy: "<section").count > 4)
        #expect(html.contains(mode == .minute ? "What each source of the forecasts brought" : "How requests started"))
        #expect(!html.contains("nan") && !html.contains("inf "))
    }

    @Test func eventModeRefusesWhatItCannotHold() throws {
        let folder = try TemporaryFolder()
        let path = try folder.write("big.csv", "HashFunction,Trigger,1\nf,http,900000000\n")
        let options = try ReplayOptions(traces: [path], mode: .event)
        #expect(throws: ReplayError.self) { try ReplayCommand.run(options: options, output: { _ in }) }
    }

    @Test func bothModesHaveTheirDefaults() throws {
        let minute = try ReplayOptions(traces: ["x"])
        #expect(minute.policies.contains { $0.text == "hybrid:4h" })
        #expect(try ReplayOptions(traces: ["x"], mode: .event).policies.map(\.text).first == "hearth")
    }

    @Test func unwritableReportsSaySo() throws {
        #expect(throws: ReplayError.self) {
            try run({ $0.report = "/no/such/folder/out.html" }, policies: "fixed:10")
        }
    }

    @Test func eventModeRefusesPoliciesWithoutOne() throws {
        #expect(throws: ReplayError.self) { try run({ $0.mode = .event }, policies: "spes") }
        #expect(throws: ReplayError.self) { try run({ _ in }, policies: "pool") }
    }

    @Test func resamplingIsSeededAndShiftsCopies() throws {
        let folder = try TemporaryFolder()
        let loaded = try TraceLoader().load([try folder.write("m.csv", Self.matrix())])
        func draw(_ seed: UInt64) throws -> Trace {
            try Resampler.resample(loaded.trace, count: 40, dailyTotals: [2, 20, 60], seed: seed)
        }
        let first = try draw(1)
        #expect(first.units.count == 40)
        #expect(try draw(1).units.map(\.activity) == first.units.map(\.activity))
        #expect(try draw(2).units.map(\.activity) != first.units.map(\.activity))
        // Copies of one row hold as many active minutes, but hardly ever the same ones.
        let copies = Dictionary(grouping: first.units) { $0.id.split(separator: "#")[0] }
        for group in copies.values {
            #expect(Set(group.map(\.activity.count)).count == 1)
            #expect(Set(group.map { $0.activity.map(\.minute) }).count > group.count / 2)
            #expect(group.allSatisfy { $0.activity.allSatisfy { $0.minute >= 0 && $0.minute < 200 } })
        }
        #expect(throws: ReplayError.self) {
            try Resampler.resample(loaded.trace, count: 0, dailyTotals: [], seed: 1)
        }
    }
}

@Suite struct CalibrationTests {
    private struct Constant: MinuteForecaster {
        let odds: Float
        mutating func step(
            minute: Int, active: ArraySlice<Int32>, calls: ArraySlice<UserCall>, logOdds: inout [Float]
        ) {
            for unit in logOdds.indices { logOdds[unit] = odds }
        }
    }

    @Test func scoresOfAConstantForecast() throws {
        // Active in half of the minutes; a forecast of one half is honest, with Brier 1/4 and log-loss ln 2.
        let trace = minuteTrace([Array(stride(from: 0, to: 100, by: 2))], minutes: 100)
        let honest = Calibration(trace, try ForecastTape(trace, Constant(odds: 0)), model: "")
        #expect(honest.count == 99)
        #expect(abs(honest.brier - 0.25) < 1e-6)
        #expect(abs(honest.logLoss - 0.6931) < 1e-3)
        #expect(honest.ece < 0.01)
        // Odds of e^2: probability 0.881.
        let sure = Calibration(trace, try ForecastTape(trace, Constant(odds: 2)), model: "")
        #expect(abs(sure.ece - 0.386) < 0.01)
        #expect(sure.brier > honest.brier && sure.logLoss > honest.logLoss)
    }
}

@Suite struct FormatTests {
    @Test func numbersAsPeopleWriteThem() {
        #expect(Format.fixed(1.005, 1) == "1.0")
        #expect(Format.fixed(-0.04, 1) == "0.0")
        #expect(Format.fixed(-12.35, 1) == "-12.4")
        #expect(Format.fixed(3, 0) == "3")
        #expect(Format.fixed(.infinity, 1) == "-")
        #expect(Format.short(0.001234) == "0.00123")
        #expect(Format.short(1234) == "1234")
        #expect(Format.short(0) == "0")
    }

    @Test func percentilesInterpolateAsNumpyDoes() {
        #expect(Percentile.linear([1, 2, 3, 4], 0.75) == 3.25)
        #expect(Percentile.linear([7], 0.5) == 7)
        #expect(Percentile.linear([], 0.5) == 0)
    }
}

@Suite struct PriorTests {
    @Test func aPriorIsWrittenReadAndHelps() throws {
        let folder = try TemporaryFolder()
        let path = "\(folder.path)/prior.bin"
        let training = ForecastReplayTests.periodic(units: 30, minutes: 1500)
        let bytes = try Prior.train(on: training, startingFrom: OccurrenceModel(), to: path, progress: nil)
        #expect(bytes > 0)
        // Other phases and periods than those it was trained on.
        let fresh = ForecastReplayTests.periodic(units: 17, minutes: 400)
        func logLoss(_ model: OccurrenceModel) throws -> Double {
            Calibration(fresh, try Models.tape(fresh, .hearth, start: model, progress: nil), model: "").logLoss
        }
        #expect(try logLoss(try Prior.model(path: path)) < logLoss(try Prior.model(path: nil)))
    }

    @Test func otherFilesAreRefused() throws {
        let folder = try TemporaryFolder()
        let path = try folder.write("prior.bin", "this is no prior at all")
        #expect(throws: ReplayError.self) { try Prior.model(path: path) }
        #expect(throws: ReplayError.self) { try Prior.model(path: "\(folder.path)/none") }
    }
}

@Suite struct ProgressBarTests {
    @Test func fillsAndFits() {
        let half = ProgressBar.line(ReplayProgress(activity: "reading x", fraction: 0.5))
        #expect(half == "[############------------]  50 % reading x")
        #expect(ProgressBar.line(ReplayProgress(activity: "y", fraction: 7)).contains("100 %"))
        #expect(ProgressBar.line(ReplayProgress(activity: "a long activity", fraction: 0), width: 30).count == 30)
    }

    @Test func theReplayReportsItsProgress() throws {
        let folder = try TemporaryFolder()
        let path = try folder.write("m.csv", "HashFunction,Trigger,1,2,3\nf,http,1,0,1\n")
        let options = try ReplayOptions(traces: [path], policies: try PolicySpec.parse(list: "fixed:1,hearth"))
        var seen: [String] = []
        try ReplayCommand.run(options: options, output: { _ in }, progress: { seen.append($0.activity) })
        #expect(seen.contains { $0.hasPrefix("reading ") } && seen.contains { $0.hasPrefix("forecasting") })
    }
}
