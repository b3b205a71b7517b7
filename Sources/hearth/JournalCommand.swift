import ArgumentParser
import CLinux
import Foundation
import Glibc
import HearthClient
import Linux
import Wire

/// `hearth journal`: what happened on the node.
struct JournalCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "journal", abstract: "Show what happened: invocations, prefetches, plans, control.",
        discussion: "--replay prints the invocations alone, in the layout that 'hearth replay' reads.")

    @OptionGroup var agent: AgentOptions
    @Flag(name: .long, help: "Go on with what happens, until interrupted.") var follow = false
    @Option(name: .long, help: "Begin after this sequence number.") var after: UInt64 = 0
    @Option(name: .long, help: "Entries of one kind only, such as prefetch.") var kind: String?
    @Flag(name: .long, help: "Print JSON, one object a line.") var json = false
    @Flag(name: .long, help: "Print invocations as a trace for 'hearth replay'.") var replay = false

    func run() throws {
        try reporting {
            let client = try agent.connect()
            guard follow else { return try printAll(client) }
            try client.followJournal(after: after) { entry in
                self.print(entry)
                return .more
            }
        }
    }

    private func printAll(_ client: HearthClient) throws {
        var request = HearthPullJournalRequest()
        request.cursor = after
        request.limit = 10_000
        while true {
            let page = try client.pullJournal(request)
            if page.lost > 0 { Terminal.writeError("hearth: \(page.lost) entries are no longer kept\n") }
            for entry in page.entries { self.print(entry) }
            guard page.more, page.cursor > request.cursor else { return }
            request.cursor = page.cursor
        }
    }

    private func print(_ entry: HearthJournalEntry) {
        if let kind, entry.kind != kind { return }
        if replay {
            guard entry.kind == "invocation" else { return }
            return JSON.print(Self.trace(entry))
        }
        if json { return JSON.print(Self.json(entry)) }
        let date = Date(timeIntervalSince1970: Double(entry.unixMs) / 1000)
        var line = date.formatted(.iso8601.time(includingFractionalSeconds: true))
        line += "  \(entry.kind.padding(toLength: max(10, entry.kind.count), withPad: " ", startingAt: 0))"
        let subject = [entry.function, entry.sandboxID].filter { !$0.isEmpty }.joined(separator: " ")
        if !subject.isEmpty { line += "  \(subject)" }
        Terminal.write(Terminal.printable("\(line)  \(entry.text)") + "\n")
    }

    private static func json(_ entry: HearthJournalEntry) -> JSON.Value {
        .object([
            "sequence": JSON.Value(entry.sequence), "t_ms": .integer(entry.unixMs), "kind": .string(entry.kind),
            "function": .string(entry.function), "sandbox": .string(entry.sandboxID), "text": .string(entry.text),
            "fields": .object(entry.fields.mapValues { .string($0) }),
        ])
    }

    /// docs/replay.md: the agent's journal.
    private static func trace(_ entry: HearthJournalEntry) -> JSON.Value {
        var timing: [String: JSON.Value] = [:]
        for phase in ["queued", "sandbox", "init", "run", "total"] {
            if let text = entry.fields[phase + "_us"], let value = Int64(text) { timing[phase] = .integer(value) }
        }
        return .object([
            "t_ms": .integer(entry.unixMs), "function": .string(entry.function),
            "user": .string(entry.fields["user"] ?? ""), "start": .string(entry.fields["start"] ?? "none"),
            "outcome": .string(entry.fields["outcome"] ?? "unknown"), "timing_us": .object(timing),
        ])
    }
}
