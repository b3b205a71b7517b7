import CreateBench
import Glibc
import HearthClient
import Linux
import Wire

/// A warm `native` echo and a C relay with the same two hops, message by message in turn; first with the processors free to
/// choose, then everything on one processor, then with an agent that looks for work before it sleeps.
struct WarmComparison {
    let executables: String
    let count: Int

    func run() throws(BenchError) -> [BenchReport.Row] {
        let usual = try compare(["freeze_after: never"]) { client, relay, agent throws(BenchError) in
            let free = try measure(client, relay, suffix: "")
            let everybody = [getpid(), agent.pid, relay.pid] + [agent.nurseryPid()].compactMap { $0 }
            Affinity.pin(everybody, to: 0..<1)
            defer { Affinity.pin([getpid()], to: Affinity.all) }
            return free + (try measure(client, relay, suffix: ".pinned"))
        }
        let settings = ["freeze_after: never", "busy_poll: 50us"]
        let polling = try compare(settings) { client, relay, _ throws(BenchError) in
            try measure(client, relay, suffix: ".polling")
        }
        return usual + polling
    }

    private func compare(
        _ configuration: [String],
        _ body: (HearthClient, Relay, BenchAgent) throws(BenchError) -> [BenchReport.Row]
    ) throws(BenchError) -> [BenchReport.Row] {
        let agent = try BenchAgent(executables: executables, configuration: configuration)
        defer { agent.stop() }
        let client = try agent.connect()
        try BenchFunction.native.register(client, executables: executables, scratch: agent.directory)
        let relay = try Relay(executables: executables, scratch: agent.directory, hops: 2)
        defer { relay.stop() }
        return try body(client, relay, agent)
    }

    private func measure(
        _ client: HearthClient, _ relay: Relay, suffix: String
    ) throws(BenchError) -> [BenchReport.Row] {
        var invocations: [Int64] = []
        var messages: [Int64] = []
        let warmUp = max(count / 10, 1)
        for round in 0..<(warmUp + count) {
            let (invocation, kind) = try StartKindSubject.invoke(client, .native)
            let message = try relay.roundTrip()
            guard round >= warmUp else { continue }
            guard kind == .warm else {
                throw .agent(
                    about: "hearth.warm", said: "the agent's start kind was \(StartKindSubject.name(kind))")
            }
            invocations.append(invocation)
            messages.append(message)
        }
        return [
            BenchReport.Row(name: "hearth.warm" + suffix, nanoseconds: invocations),
            BenchReport.Row(name: "relay" + suffix, nanoseconds: messages),
        ].compactMap { $0 }
    }
}
