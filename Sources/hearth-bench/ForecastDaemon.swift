import CreateBench
import Foundation
import HearthClient
import InvokeBench
import Linux
import Wire

/// What the models cost in a real hearthd that is told of many functions and users, as `hearth observe` tells it.
struct ForecastDaemon: Encodable {
    var functions: Int
    var users: Int
    var events: Int
    /// Seconds until the last event was learned; most of it is the time that learning leaves to requests.
    var seconds: Double
    /// The gauge `prediction.memory_bytes`, in MB.
    var memoryMB: Double
    /// Resident size of hearthd (Rss of /proc/PID/smaps_rollup), in MB: before the first event, and after the last.
    var residentBeforeMB: Double
    var residentMB: Double

    /// Lines of one call: few enough to be learned while their time is the present.
    private static let chunk = 2_000

    /// Every function and every user occurs; a few functions take most calls, as in the part `engine`.
    static func run(functions: Int = 10_000, users: Int = 100_000, events: Int = 300_000) throws -> ForecastDaemon {
        let agent = try BenchAgent(
            executables: BenchAgent.ownDirectory(),
            configuration: [
                "prediction: on", "prediction_functions: \(functions)", "prediction_users: \(users)",
            ])
        defer { agent.stop() }
        let client = try agent.connect()
        let before = residentMB(agent.pid)
        var random = SystemRandomNumberGenerator()
        let begin = ContinuousClock.now
        for first in stride(from: 0, to: events, by: chunk) {
            var lines = ""
            let now = Date().timeIntervalSince1970
            for event in first..<min(first + chunk, events) {
                let drawn = Int(Double(functions) * pow(Double.random(in: 0..<1, using: &random), 3))
                let function = event < functions ? event : min(drawn, functions - 1)
                let user = event < users ? event : Int.random(in: 0..<users, using: &random)
                lines += "{\"time\": \(now), \"function\": \"function-\(function)\", \"user\": \"user-\(user)\"}\n"
            }
            let answer = try client.observe(HearthObserveRequest(), log: .bytes(Array(lines.utf8)))
            guard answer.refused == 0 else {
                throw BenchError.agent(about: "observing events", said: "\(answer)")
            }
        }
        while case let learned = try gauge("prediction.observed", client), learned < Double(events) { usleep(50_000) }
        return ForecastDaemon(
            functions: functions, users: users, events: events, seconds: (ContinuousClock.now - begin) / .seconds(1),
            memoryMB: try gauge("prediction.memory_bytes", client) / 1e6, residentBeforeMB: before,
            residentMB: residentMB(agent.pid))
    }

    private static func gauge(_ name: String, _ client: HearthClient) throws -> Double {
        try client.stats().gauges.first { $0.name == name }?.value ?? 0
    }

    private static func residentMB(_ pid: Int32) -> Double {
        let text = (try? Files.readText("/proc/\(pid)/smaps_rollup")) ?? ""
        for line in text.split(separator: "\n") where line.hasPrefix("Rss:") {
            return (line.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Double($0) } ?? 0) * 1024
                / 1e6
        }
        return 0
    }

    var text: String {
        String(
            format: "hearthd with %d functions, %d users, %d events observed in %.0f s: %.0f MB by its tables, "
                + "%.0f MB resident, %.0f MB before", functions, users, events, seconds, memoryMB, residentMB,
            residentBeforeMB)
    }
}
