import ArgumentParser
import Foundation
import HearthClient
import Linux
import Wire

/// `hearth observe`: what happened elsewhere, for the node's prediction.
struct ObserveCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "observe", abstract: "Tell the node's prediction what happened: a log on stdin.",
        discussion: """
            JSON has one object a line: {"time": SECONDS or ISO 8601, "function": F, "user": U, "session": S, "arguments": A}, \
            {"time": T, "topic": T, "key": K}, or {"time": T, "from": F, "to": G, "lag": SECONDS}.
            clf is the common or the combined log format; --map names a file of lines PREFIX FUNCTION that says which \
            function serves a path (the longest prefix is taken), without it the first part of the path is the function.
            """)

    enum Format: String, ExpressibleByArgument, CaseIterable {
        case json, clf
    }

    @OptionGroup var agent: AgentOptions
    @Option(name: .long, help: "The log's format: json or clf.") var format = Format.json
    @Option(name: .long, help: "A file of lines PREFIX FUNCTION, for clf.") var map: String?
    @Flag(name: .long, help: "Print JSON.") var json = false

    func run() throws {
        try reporting {
            var request = HearthObserveRequest()
            request.format = format == .json ? .json : .clf
            if let map {
                guard format == .clf else {
                    throw Failure("--map with JSON lines", remedy: "give it with --format clf")
                }
                request.routes = try Self.routes(map)
            }
            // A log may be followed for days: no deadline.
            let response = try agent.connect().observe(request, log: .descriptor(0), options: CallOptions())
            if json {
                return JSON.print(
                    .object([
                        "accepted": JSON.Value(response.accepted), "refused": JSON.Value(response.refused),
                        "ignored": JSON.Value(response.ignored),
                        "problems": .array(response.problems.map { .string($0) }),
                    ]))
            }
            Terminal.write(
                "\(response.accepted) observed, \(response.refused) refused, \(response.ignored) of no function\n")
            for problem in response.problems { Terminal.writeError(Terminal.printable(problem) + "\n") }
            if response.accepted == 0, response.refused > 0 {
                throw Failure("no line could be read", remedy: "see 'hearth observe --help' for the formats")
            }
        }
    }

    static func routes(_ path: String) throws -> [HearthPathRoute] {
        let text: String
        do throws(Errno) {
            text = try Files.readText(path, limit: 16 << 20)
        } catch {
            throw Failure("\(path): \(error)", remedy: "give a file of lines PREFIX FUNCTION")
        }
        var routes: [HearthPathRoute] = []
        for (number, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let words = line.split(whereSeparator: \.isWhitespace)
            guard let first = words.first, !first.hasPrefix("#") else { continue }
            guard words.count == 2 else {
                throw Failure("\(path), line \(number + 1): not PREFIX FUNCTION", remedy: "write two words a line")
            }
            var route = HearthPathRoute()
            route.prefix = String(first)
            route.function = String(words[1])
            routes.append(route)
        }
        return routes
    }
}

/// `hearth event`: events on topics.
struct EventCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "event", abstract: "Tell the node of an event.", subcommands: [Emit.self])

    struct Emit: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "emit",
            abstract: "An event on a topic: the functions bound to it (function put --topic) are made ready.")
        @OptionGroup var agent: AgentOptions
        @Argument(help: "The topic.") var topic: String
        @Option(name: .long, help: "What of the topic the event is about.") var key = ""
        @Flag(name: .long, help: "Print JSON.") var json = false

        func run() throws {
            try reporting {
                let response = try agent.connect().emitEvent(topic: topic, key: key)
                if json {
                    return JSON.print(.object(["functions": .array(response.functions.map { .string($0) })]))
                }
                for function in response.functions { Terminal.write(function + "\n") }
            }
        }
    }
}
