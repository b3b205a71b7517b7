import AgentTestSupport
import Foundation
import Glibc
import Linux
import Testing

@testable import hearth

extension HearthTests {
    /// `hearth stats --prometheus`, read as a collector reads it.
    @Suite @TestThread
    struct MetricsTests {
        let hearth: HearthCommand
        init() throws { hearth = try HearthCommand() }

        private struct Sample {
            var name: String
            var labels: [String: String]
            var value: Double
        }

        /// The whole grammar that we write: HELP, TYPE, then samples of that family, each family once.
        private func parse(_ text: String) throws -> (types: [String: String], samples: [Sample]) {
            var types: [String: String] = [:]
            var samples: [Sample] = []
            var family = ""
            for line in text.split(separator: "\n", omittingEmptySubsequences: false).dropLast() {
                if let help = line.wholeMatch(of: /# HELP ([a-z_:][a-z0-9_:]*) \S.*/) {
                    family = String(help.1)
                    #expect(types[family] == nil, "\(family) twice")
                } else if let type = line.wholeMatch(of: /# TYPE (\S+) (counter|gauge|histogram)/) {
                    #expect(String(type.1) == family)
                    types[family] = String(type.2)
                } else {
                    let sample = try #require(
                        line.wholeMatch(of: /([a-z_:][a-z0-9_:]*)(?:\{(.*)\})? (-?[0-9.e+-]+|[+-]Inf|NaN)/), "\(line)")
                    let name = String(sample.1)
                    let suffixes = types[family] == "histogram" ? ["_bucket", "_sum", "_count"] : [""]
                    #expect(suffixes.contains { name == family + $0 }, "\(name) in \(family)")
                    var labels: [String: String] = [:]
                    let pair = /([a-z_]+)="((?:[^"\\\n]|\\["\\n])*)",?/
                    for label in (sample.2 ?? "").matches(of: pair) { labels[String(label.1)] = String(label.2) }
                    samples.append(Sample(name: name, labels: labels, value: Double(sample.3) ?? .infinity))
                }
            }
            #expect(text.hasSuffix("\n"))
            return (types, samples)
        }

        @Test func whatHappenedIsCounted() throws {
            try hearth.must("function", "put", "counted", "--runtime", "command", "--", "cat")
            defer { _ = try? hearth("function", "delete", "counted") }
            for _ in 0..<3 { try hearth.must("invoke", "counted", "--data", "\"x\"") }
            let (types, samples) = try parse(try hearth("stats", "counted", "--prometheus").text)
            func sum(_ name: String, _ labels: [String: String] = [:]) -> Double {
                samples.filter { sample in
                    sample.name == name && labels.allSatisfy { sample.labels[$0.key] == $0.value }
                }.reduce(0) { $0 + $1.value }
            }
            #expect(sum("hearth_invocations_total", ["function": "counted", "outcome": "ok"]) == 3)
            #expect(sum("hearth_starts_total", ["function": "counted"]) == 3)
            #expect(sum("hearth_starts_total", ["function": "counted", "start": "cold"]) == 1)
            #expect(sum("hearth_run_seconds_total", ["function": "counted"]) > 0)
            #expect(sum("hearth_memory_budget_bytes") > 0 && sum("hearth_uptime_seconds") > 0)
            #expect(types["hearth_pool_created_total"] == "counter" && sum("hearth_pool_created_total") >= 1)
            #expect(types["hearth_threshold_confidence"] == "gauge")
            #expect(types.filter { $0.key.hasSuffix("_total") }.allSatisfy { $0.value == "counter" })
            // Buckets of each histogram: ascending, the last all, and of totals as many as there were invocations.
            let buckets = Dictionary(grouping: samples.filter { $0.name == "hearth_latency_seconds_bucket" }) {
                "\($0.labels["start"] ?? "") \($0.labels["phase"] ?? "")"
            }
            #expect(buckets.count >= 4)
            for (key, series) in buckets {
                #expect(zip(series, series.dropFirst()).allSatisfy { $0.value <= $1.value }, "\(key)")
                let parts = key.split(separator: " ").map(String.init)
                #expect(series.last?.labels["le"] == "+Inf")
                let count = sum("hearth_latency_seconds_count", ["start": parts[0], "phase": parts[1]])
                #expect(series.last?.value == count, "\(key)")
            }
            #expect(sum("hearth_latency_seconds_count", ["phase": "total"]) == 3)
            #expect(sum("hearth_latency_seconds_bucket", ["phase": "total", "le": "60"]) == 3)
            #expect(sum("hearth_latency_seconds_bucket", ["phase": "total", "le": "0.0001"]) == 0)
        }

        @Test func namesAreEscaped() throws {
            var out = Exposition()
            out.family("x", .gauge, "h", [([("function", "a\\b\"c\nd")], 1.5)])
            out.family("x", .gauge, "h", [([], 2)])
            out.gauge("y", "h", .nan)
            out.gauge("z", "h", -.infinity)
            #expect(
                out.text == """
                    # HELP x h
                    # TYPE x gauge
                    x{function="a\\\\b\\"c\\nd"} 1.5
                    # HELP y h
                    # TYPE y gauge
                    y NaN
                    # HELP z h
                    # TYPE z gauge
                    z -Inf

                    """)
        }

        @Test func aFileIsReplacedInOneStep() throws {
            let scratch = try ScratchDirectory()
            let path = scratch.path + "/hearth.prom"
            try Files.write(Array("old".utf8), to: path, mode: 0o600)
            try hearth.must("stats", "--prometheus", "--output", path)
            #expect(try !parse(try Files.readText(path, limit: 1 << 20)).samples.isEmpty)
            #expect(try Files.list(scratch.path) == ["hearth.prom"])
            var status = stat()
            #expect(
                lstat(path, &status) == 0 && status.st_mode & 0o777 == 0o644, "a collector of another user reads it")
            let refused = try hearth("stats", "--prometheus", "--output", "/nonexistent/x")
            #expect(refused.status == 1 && refused.errors.contains("/nonexistent/x"), "\(refused.errors)")
            #expect(try hearth("stats", "--prometheus", "--json").status == 64)
            #expect(try hearth("stats", "--output", path).status == 64)
        }

        /// An alert on a metric that nobody writes would never be raised.
        @Test func theAlertsAskForWhatIsThere() throws {
            try hearth.must("function", "put", "alerting", "--runtime", "command", "--", "cat")
            defer { _ = try? hearth("function", "delete", "alerting") }
            try hearth.must("prefetch", "alerting", "--wait")
            try hearth.must("invoke", "alerting", "--data", "\"x\"")
            let (types, samples) = try parse(try hearth("stats", "--prometheus").text)
            let rules = try Files.readText(
                try BuildProducts.repository("rootfs-tools/monitoring/alerts.yml"), limit: 1 << 20)
            let known = Set(types.keys).union(samples.map(\.name))
            let asked = Set(rules.matches(of: /hearth_[a-z0-9_]+/).map { String($0.0) })
            #expect(asked.count > 6)
            // What the forecast counts is there where it is on; this agent's is off.
            for name in asked where !name.hasPrefix("hearth_prediction_") { #expect(known.contains(name), "\(name)") }
            for label in ["function", "outcome", "start", "result"] {
                #expect(samples.contains { $0.labels[label] != nil }, "\(label)")
            }
        }

        @Test func theAlertsAreRaised() throws {
            guard access("/usr/bin/promtool", X_OK) == 0 else { return print("skipped: no promtool") }
            let tested = try Command.run([
                "/usr/bin/promtool", "test", "rules",
                try BuildProducts.repository("rootfs-tools/monitoring/alerts_test.yml"),
            ])
            #expect(tested.status == 0, "\(tested.text)\(tested.errors)")
        }
    }
}
