import Forecast
import Foundation

/// What the engine costs on a node at its bounds.
package struct EngineRow: Sendable, Encodable {
    package var functions: Int
    package var users: Int
    package var events: Int
    /// Mean and 99th percentile of one observation with its forecast update, microseconds of processor time.
    package var eventMean: Double
    package var eventP99: Double
    /// One minute of one function, microseconds.
    package var minuteMean: Double
    package var outlookMean: Double
    package var memoryMB: Double
    /// What the process grew by, from its own resident size.
    package var residentMB: Double
    package var saveMilliseconds: Double
    /// While another thread encodes a snapshot: the slowest observation, and what all of them took longer than usual.
    package var pauseWorstMilliseconds: Double
    package var pauseTotalMilliseconds: Double
    package var fileMB: Double
}

package enum EngineBench {
    package static func run(functions: Int = 10_000, users: Int = 100_000, events: Int = 300_000) throws -> EngineRow {
        let before = residentMB()
        var engine = try Forecaster()
        var random = SeededGenerator(seed: 1)
        var slowest: [Double] = []
        slowest.reserveCapacity(events)
        var time = 1e6
        var minutes = 0
        var minuteSeconds = 0.0
        let names = (0..<functions).map { "function-\($0)" }
        let people = (0..<users).map { "user-\($0)" }
        var lastMinute = 0
        for event in 0..<events {
            time += 0.02
            // A few functions take most calls, and every function and user occurs.
            let function = event < functions ? event : Int(Double(functions) * pow(Double(random.unit()), 3))
            let user = event < users ? event : random.below(users)
            let observation = Observation(
                time: Int64(time * 1e9),
                .request(function: names[min(functions - 1, function)], user: people[user], session: nil, arguments: 0))
            let start = processorSeconds()
            engine.observe(observation)
            slowest.append((processorSeconds() - start) * 1e6)
            if Int(time / 60) != lastMinute {
                lastMinute = Int(time / 60)
                let start = processorSeconds()
                minutes += engine.advance(to: Int64(time * 1e9))
                minuteSeconds += processorSeconds() - start
            }
        }
        let asked = 1000
        var start = processorSeconds()
        for _ in 0..<asked { _ = engine.outlook(UInt32(random.below(functions)), at: Int64(time * 1e9)) }
        let outlook = (processorSeconds() - start) * 1e6 / Double(asked)
        let resident = residentMB() - before
        start = processorSeconds()
        let bytes = engine.save()
        let saving = (processorSeconds() - start) * 1e3
        let total = slowest.reduce(0, +)
        slowest.sort()
        let usual = total / Double(events)
        let snapshot = engine.snapshot()
        let encoder = Thread { _ = snapshot.encode() }
        encoder.start()
        var worst = 0.0
        var extra = 0.0
        for _ in 0..<2000 {
            time += 0.02
            let observation = Observation(
                time: Int64(time * 1e9),
                .request(
                    function: names[random.below(functions)], user: people[random.below(users)], session: nil,
                    arguments: 0))
            let start = processorSeconds()
            engine.observe(observation)
            let taken = (processorSeconds() - start) * 1e6
            worst = max(worst, taken)
            extra += max(0, taken - usual)
        }
        return EngineRow(
            functions: functions, users: users, events: events, eventMean: total / Double(events),
            eventP99: slowest[events * 99 / 100], minuteMean: minuteSeconds * 1e6 / Double(max(1, minutes)),
            outlookMean: outlook, memoryMB: Double(engine.memoryBytes) / 1e6, residentMB: resident,
            saveMilliseconds: saving,
            pauseWorstMilliseconds: worst / 1e3, pauseTotalMilliseconds: extra / 1e3,
            fileMB: Double(bytes.count) / 1e6)
    }

    /// Processor time of this thread: the figures are of the engine, not of what else the machine runs.
    private static func processorSeconds() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
    }

    /// VmRSS of /proc/self/status (proc(5)), in MB.
    private static func residentMB() -> Double {
        guard let status = try? String(contentsOfFile: "/proc/self/status", encoding: .utf8) else { return 0 }
        for line in status.split(separator: "\n") where line.hasPrefix("VmRSS:") {
            return (line.split(whereSeparator: { !$0.isNumber }).first.flatMap { Double($0) } ?? 0) * 1024 / 1e6
        }
        return 0
    }
}
