import CreateBench
import Glibc
import HearthClient
import Linux
import Wire

/// Resident sizes of the agent's processes (Rss of /proc/PID/smaps_rollup).
struct Residents {
    let agent: BenchAgent
    let client: HearthClient

    /// - Parameter functions: how many to register before hearthd is looked at.
    func rows(functions: Int) throws(BenchError) -> [BenchReport.Row] {
        var rows: [BenchReport.Row] = []
        func add(_ name: String, _ kibibytes: [Int64]) {
            if let row = BenchReport.Row(name: name, nanoseconds: kibibytes.map { $0 * 1_000 }) { rows.append(row) }
        }
        // A sandbox that has served: its PID 1 has done all that it ever does.
        for _ in 0..<3 { _ = try StartKindSubject.invoke(client, .native) }
        if let nursery = agent.nurseryPid() {
            let inits = ProcessFacts.all().filter { $0.parent == nursery }.map(\.pid)
            add("pid1", inits.compactMap(ProcessFacts.residentKiB))
            add("pid1.own", inits.compactMap(ProcessFacts.ownKiB))
            add("nursery", [ProcessFacts.residentKiB(nursery)].compactMap { $0 })
            add("nursery.own", [ProcessFacts.ownKiB(nursery)].compactMap { $0 })
        }
        try register(functions)
        add("hearthd.\(functions)", [ProcessFacts.residentKiB(agent.pid)].compactMap { $0 })
        return rows
    }

    private func register(_ count: Int) throws(BenchError) {
        var request = HearthPutFunctionRequest()
        request.spec.runtime = .command
        request.spec.argv = ["/usr/bin/true"]
        request.codeFormat = .none
        do {
            for number in 0..<count {
                request.spec.name = "function-\(number)"
                _ = try client.putFunction(request)
            }
        } catch {
            throw .agent(about: "registering \(count) functions", said: "\(error)")
        }
    }
}
