import ArgumentParser
import Foundation
import HearthClient
import Linux
import SwiftProtobuf
import Wire

/// `hearth ps`: the sandboxes.
struct PsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "ps", abstract: "List the sandboxes.")
    @OptionGroup var agent: AgentOptions
    @Flag(name: .long, help: "Print JSON.") var json = false

    func run() throws {
        try reporting {
            let sandboxes = try agent.connect().listSandboxes()
            if json {
                return JSON.print(
                    .array(
                        sandboxes.map { sandbox in
                            .object([
                                "id": .string(sandbox.id), "function": .string(sandbox.function),
                                "image": .string(sandbox.image), "tier": .string(Words.tier(sandbox.tier)),
                                "state": .string(sandbox.state), "age_ns": JSON.Value(sandbox.ageNs),
                                "idle_ns": JSON.Value(sandbox.idleNs), "invocations": JSON.Value(sandbox.invocations),
                                "memory_bytes": JSON.Value(sandbox.memoryBytes), "pid": .integer(Int64(sandbox.pid)),
                                "reason": .string(sandbox.reason), "generation": JSON.Value(sandbox.generation),
                            ])
                        }))
            }
            var table = Table(
                ["SANDBOX", "FUNCTION", "TIER", "STATE", "AGE", "IDLE", "SERVED", "MEMORY", "PID", "WHY"],
                rightAligned: [4, 5, 6, 7, 8])
            for sandbox in sandboxes {
                table.add([
                    sandbox.id, sandbox.function, Words.tier(sandbox.tier), sandbox.state,
                    Format.duration(sandbox.ageNs), Format.duration(sandbox.idleNs), "\(sandbox.invocations)",
                    Format.bytes(sandbox.memoryBytes), "\(sandbox.pid)", sandbox.reason,
                ])
            }
            table.print()
        }
    }
}

/// `hearth stats`: counters since the agent's start.
struct StatsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "stats", abstract: "Show the agent's counters.")
    @OptionGroup var agent: AgentOptions
    @Argument(help: "One function only.") var function = ""
    @Flag(name: .long, help: "Print JSON.") var json = false
    @Flag(name: .long, help: "Print metrics in the text format of Prometheus, latency histograms among them.")
    var prometheus = false
    @Option(name: .long, help: "Write the metrics to a file in one step, as a textfile collector wants them.")
    var output: String?

    func validate() throws {
        if prometheus, json { throw ValidationError("give either --json or --prometheus") }
        if output != nil, !prometheus { throw ValidationError("--output goes with --prometheus") }
    }

    func run() throws {
        try reporting {
            let client = try agent.connect()
            let stats = try client.stats(function: function)
            if prometheus {
                var request = HearthPullLatencyRequest()
                request.function = function
                let metrics = Metrics(stats: stats, latency: try client.pullLatency(request).series)
                return try Self.deliver(metrics.exposition(), to: output)
            }
            if json {
                // The protocol's own JSON form is the most complete one.
                let text = (try? stats.jsonString()) ?? "{}"
                return Terminal.write(text + "\n")
            }
            Terminal.write("up \(Format.duration(stats.uptimeNs)), ")
            Terminal.write(
                "memory \(Format.bytes(stats.memory.usedBytes)) of \(Format.bytes(stats.memory.budgetBytes)) budget, "
                    + "agent \(Format.bytes(stats.memory.agentResidentBytes))\n")
            Self.writePool(stats)
            var table = Table(["FUNCTION", "STARTS", "OUTCOMES", "RUN"], rightAligned: [3])
            for entry in stats.functions {
                table.add([
                    entry.function,
                    entry.starts.map { "\(Words.start($0.startKind)) \($0.count)" }.joined(separator: ", "),
                    entry.outcomes.map { "\(Words.outcome($0.outcome)) \($0.count)" }.joined(separator: ", "),
                    Format.duration(entry.runNs),
                ])
            }
            table.print()
        }
    }

    /// Whoever reads the file finds the old text or the new one, never a part.
    private static func deliver(_ text: String, to path: String?) throws {
        guard let path else { return Terminal.write(text) }
        let fresh = "\(path).\(getpid()).new"
        do {
            try Files.write(Array(text.utf8), to: fresh, mode: 0o644)
            guard rename(fresh, path) == 0 else { throw Errno.current }
        } catch {
            unlink(fresh)
            throw Failure("cannot write \(path): \(error); name a file in a directory that you may write to")
        }
    }

    /// Tiers, queue, threshold and the ledger, as far as the agent tells them.
    private static func writePool(_ stats: HearthStatsResponse) {
        for tier in stats.tiers {
            Terminal.write(
                "tier \(Words.tier(tier.tier)): \(tier.sandboxes) sandboxes, \(Format.bytes(tier.memoryBytes))\n")
        }
        let figures = PoolFigures(stats)
        guard !figures.isEmpty else { return }
        Terminal.write("requests: \(figures.count("pool.queued")) queued, \(figures.count("pool.running")) running\n")
        Terminal.write("threshold: \(figures.threshold)\n")
        if let ledger = figures.ledger() { Terminal.write("prefetch: \(ledger)\n") }
        for source in figures.sources {
            if let ledger = figures.ledger("ledger.\(source)") { Terminal.write("prefetch by \(source): \(ledger)\n") }
        }
    }
}

/// `hearth doctor`: what the machine has, what is missing and what that costs.
struct DoctorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor", abstract: "Look at the machine: what is there, what is missing, what that costs.")
    @OptionGroup var agent: AgentOptions
    @Flag(name: .long, help: "Print JSON.") var json = false

    func run() throws {
        try reporting {
            let findings = try agent.connect().doctor()
            if json {
                return JSON.print(
                    .array(
                        findings.map { finding in
                            .object([
                                "id": .string(finding.id), "status": .string(Self.word(finding.status)),
                                "found": .string(finding.found), "cost": .string(finding.cost),
                                "remedy": .string(finding.remedy),
                            ])
                        }))
            }
            for finding in findings {
                let (word, colour): (String, String) =
                    switch finding.status {
                    case .ok: ("ok     ", "32")
                    case .warn: ("warn   ", "33")
                    default: ("missing", "31")
                    }
                Terminal.write("\(Terminal.styled(word, colour))  \(finding.id): \(finding.found)\n")
                if !finding.cost.isEmpty { Terminal.write("           cost: \(finding.cost)\n") }
                if !finding.remedy.isEmpty { Terminal.write("           do:   \(finding.remedy)\n") }
            }
        }
    }

    private static func word(_ status: HearthFindingStatus) -> String {
        switch status {
        case .ok: "ok"
        case .warn: "warn"
        case .missing: "missing"
        case .unspecified, .UNRECOGNIZED: "unknown"
        }
    }
}
