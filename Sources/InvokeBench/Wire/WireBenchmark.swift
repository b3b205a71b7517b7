package import CreateBench
import Glibc
import HearthClient
import Linux
import Wire

/// What the protocol costs: frames and messages without I/O, and a round trip beside a socket echo in C.
package struct WireBenchmark {
    package struct Options: Sendable {
        package var count = 2_000
        /// Entries of the plan that is pushed; 0 leaves it out.
        package var planEntries = 10_000
        package var plans = 10

        package init() {}
    }

    package typealias Note = (_ subject: String, _ reason: String) -> Void

    private let executables: String
    private let options: Options
    private let note: Note

    package init(executables: String, options: Options, note: @escaping Note) {
        self.executables = executables
        self.options = options
        self.note = note
    }

    package func run() throws(BenchError) -> BenchReport {
        var rows = CodecCost(count: options.count).rows()
        rows += try roundTrips()
        return BenchReport(bench: "wire", unit: "us", rows: rows)
    }

    private func roundTrips() throws(BenchError) -> [BenchReport.Row] {
        let agent = try BenchAgent(executables: executables)
        defer { agent.stop() }
        let client = try agent.connect()
        let raw = try RawClient(path: agent.socket)
        let relay = try Relay(executables: executables, scratch: agent.directory, hops: 1)
        var pings: [Int64] = []
        var infos: [Int64] = []
        var echoes: [Int64] = []
        do {
            for round in 0..<(options.count + options.count / 10) {
                let ping = try raw.ping()
                let begin = monotonicNow()
                _ = try client.info()
                let info = monotonicNow() - begin
                let echo = try relay.roundTrip()
                guard round >= options.count / 10 else { continue }
                pings.append(ping)
                infos.append(info)
                echoes.append(echo)
            }
        } catch {
            relay.stop()
            throw (error as? BenchError) ?? .agent(about: "wire", said: "\(error)")
        }
        relay.stop()
        var rows = [
            BenchReport.Row(name: "floor", nanoseconds: echoes),
            BenchReport.Row(name: "hearth.ping", nanoseconds: pings),
            BenchReport.Row(name: "hearth.info", nanoseconds: infos),
        ].compactMap { $0 }
        guard options.planEntries > 0 else { return rows }
        let name = "hearth.plan.\(options.planEntries)"
        do throws(BenchError) {
            let push = PlanPush(client: client, raw: raw, entries: options.planEntries)
            rows += [BenchReport.Row(name: name, nanoseconds: try push.measure(options.plans))].compactMap { $0 }
        } catch {
            note(name, error.description)
        }
        return rows
    }
}
