import ArgumentParser
import Foundation
import HearthClient
import Linux
import Wire

/// `hearth plan`: what a coordinator would do, by hand.
struct PlanCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plan", abstract: "Push a prefetch plan, or show the one in force.",
        subcommands: [Push.self, Show.self])

    struct Push: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "push", abstract: "Push a plan: a JSON file, or '-' for stdin.",
            discussion: "The form is that of 'hearth plan show --json'; see docs/command-line.md.")

        @OptionGroup var agent: AgentOptions
        @Argument(help: "The file.") var file: String
        @Flag(name: .long, help: "Print JSON.") var json = false

        func run() throws {
            try reporting {
                let bytes: [UInt8]
                do throws(Errno) {
                    bytes =
                        file == "-"
                        ? try Files.read("/dev/stdin", limit: 64 << 20) : try Files.read(file, limit: 64 << 20)
                } catch {
                    throw Failure("\(file): \(error)", remedy: "give a file that can be read")
                }
                let client = try agent.connect()
                var request = try PlanFile.request(bytes, name: file)
                if request.generation == 0 { request.generation = try client.getPlan().generation + 1 }
                let response = try client.pushPlan(request)
                if json {
                    return JSON.print(
                        .object([
                            "generation": JSON.Value(response.generation),
                            "accepted": .integer(Int64(response.accepted)),
                            "refused": .array(
                                response.refused.map {
                                    .object(["function": .string($0.function), "reason": .string($0.reason)])
                                }),
                        ]))
                }
                Terminal.write("plan \(response.generation): \(response.accepted) accepted\n")
                for refusal in response.refused {
                    Terminal.writeError("hearth: \(Terminal.printable(refusal.function)): \(refusal.reason)\n")
                }
            }
        }
    }

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(commandName: "show", abstract: "Show the plan in force.")
        @OptionGroup var agent: AgentOptions
        @Flag(name: .long, help: "Print JSON.") var json = false

        func run() throws {
            try reporting {
                let plan = try agent.connect().getPlan()
                if json { return JSON.print(PlanFile.json(plan)) }
                guard plan.generation > 0 else { return Terminal.write("no plan\n") }
                let left = plan.ttlNs > plan.ageNs ? plan.ttlNs - plan.ageNs : 0
                Terminal.write(
                    "generation \(plan.generation)"
                        + (plan.coordinator.isEmpty ? "" : " by \(Terminal.printable(plan.coordinator))")
                        + ", \(Format.duration(plan.ageNs)) old, "
                        + (left > 0 ? "\(Format.duration(left)) left\n" : "expired\n"))
                var table = Table(
                    ["FUNCTION", "CONFIDENCE", "WINDOW", "COUNT", "TIER", "PRIORITY", "CPUS", "MEMORY"],
                    rightAligned: [1, 3, 5, 6, 7])
                for entry in plan.entries {
                    table.add([
                        entry.function, "\(entry.confidence)",
                        entry.windowEndNs == 0
                            ? "always"
                            : "\(Format.duration(entry.windowStartNs)) to \(Format.duration(entry.windowEndNs))",
                        "\(max(1, entry.count))",
                        entry.tier == .unspecified ? "by confidence" : Words.tier(entry.tier), "\(entry.priority)",
                        entry.reservedCpus == 0 ? "" : "\(entry.reservedCpus)",
                        entry.reservedMemoryBytes == 0 ? "" : Format.bytes(entry.reservedMemoryBytes),
                    ])
                }
                table.print()
            }
        }
    }
}

/// A plan as JSON. Durations are texts such as "90s" or numbers of seconds, sizes texts such as "64M" or numbers of bytes.
enum PlanFile {
    private struct Plan: Decodable {
        var generation: UInt64?
        var ttl: Duration?
        var coordinator: String?
        var entries: [Entry]
    }

    private struct Entry: Decodable {
        var function: String
        var confidence: Double
        var window: [Duration]?
        var count: UInt32?
        var tier: String?
        var priority: Int32?
        var reserved_cpus: Double?
        var reserved_memory: Size?
    }

    private struct Duration: Decodable {
        var nanoseconds: UInt64

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            let text = try (try? container.decode(String.self)) ?? String(container.decode(Double.self))
            guard let value = Quantity.nanoseconds(text), value >= 0 else {
                throw DecodingError.dataCorruptedError(
                    in: container, debugDescription: "'\(text)' is no duration such as 90s or 10m")
            }
            nanoseconds = UInt64(value)
        }
    }

    private struct Size: Decodable {
        var bytes: UInt64

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            let text = try (try? container.decode(String.self)) ?? String(container.decode(UInt64.self))
            guard let value = Quantity.bytes(text), value >= 0 else {
                throw DecodingError.dataCorruptedError(
                    in: container, debugDescription: "'\(text)' is no size such as 64M")
            }
            bytes = UInt64(value)
        }
    }

    static func request(_ bytes: [UInt8], name: String) throws -> HearthPushPlanRequest {
        func wrong(_ why: String) -> Failure {
            Failure("plan \(name): \(why)", remedy: "see 'hearth plan' in docs/command-line.md for the form")
        }
        let plan: Plan
        do {
            plan = try JSONDecoder().decode(Plan.self, from: Data(bytes))
        } catch let error as DecodingError {
            throw wrong(explain(error))
        }
        var request = HearthPushPlanRequest()
        request.generation = plan.generation ?? 0
        request.ttlNs = plan.ttl?.nanoseconds ?? 0
        request.coordinator = plan.coordinator ?? ""
        for (index, entry) in plan.entries.enumerated() {
            var wire = HearthPlanEntry()
            wire.function = entry.function
            wire.confidence = entry.confidence
            if let window = entry.window {
                guard window.count == 2 else { throw wrong("entry \(index): window must be [begin, end]") }
                wire.windowStartNs = window[0].nanoseconds
                wire.windowEndNs = window[1].nanoseconds
            }
            wire.count = entry.count ?? 0
            if let tier = entry.tier {
                guard let known = TierName(rawValue: tier) else {
                    throw wrong("entry \(index): '\(tier)' is none of bare, runtime, ready")
                }
                wire.tier = known.wire
            }
            wire.priority = entry.priority ?? 0
            wire.reservedCpus = entry.reserved_cpus ?? 0
            wire.reservedMemoryBytes = entry.reserved_memory?.bytes ?? 0
            request.entries.append(wire)
        }
        return request
    }

    private static func explain(_ error: DecodingError) -> String {
        func place(_ path: [any CodingKey]) -> String {
            path.isEmpty ? "" : path.map(\.stringValue).joined(separator: ".") + ": "
        }
        switch error {
        case .keyNotFound(let key, let context): return place(context.codingPath) + "'\(key.stringValue)' is missing"
        case .typeMismatch(_, let context), .valueNotFound(_, let context), .dataCorrupted(let context):
            return place(context.codingPath) + context.debugDescription
        @unknown default: return "\(error)"
        }
    }

    /// In the form that `request` takes, so that what was shown can be pushed.
    static func json(_ plan: HearthGetPlanResponse) -> JSON.Value {
        func seconds(_ nanoseconds: UInt64) -> JSON.Value { .number(Double(nanoseconds) / 1e9) }
        return .object([
            "generation": JSON.Value(plan.generation), "coordinator": .string(plan.coordinator),
            "age": seconds(plan.ageNs), "ttl": seconds(plan.ttlNs),
            "entries": .array(
                plan.entries.map { entry in
                    var fields: [String: JSON.Value] = [
                        "function": .string(entry.function), "confidence": .number(entry.confidence),
                        "count": .integer(Int64(max(1, entry.count))), "priority": .integer(Int64(entry.priority)),
                    ]
                    if entry.windowEndNs > 0 {
                        fields["window"] = .array([seconds(entry.windowStartNs), seconds(entry.windowEndNs)])
                    }
                    if entry.tier != .unspecified { fields["tier"] = .string(Words.tier(entry.tier)) }
                    if entry.reservedCpus > 0 { fields["reserved_cpus"] = .number(entry.reservedCpus) }
                    if entry.reservedMemoryBytes > 0 {
                        fields["reserved_memory"] = JSON.Value(entry.reservedMemoryBytes)
                    }
                    return .object(fields)
                }),
        ])
    }
}
