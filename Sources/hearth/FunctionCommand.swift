import ArgumentParser
import FoundationEssentials
import HearthClient
import Images
import Linux
import Wire

/// `hearth function`: the registry.
struct FunctionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "function", abstract: "Register, list, show and delete functions.",
        subcommands: [Put.self, List.self, Show.self, Delete.self])

    enum RuntimeName: String, ExpressibleByArgument, CaseIterable {
        case command
        case native
        case python
        case node
        case lambda

        var wire: HearthRuntime {
            switch self {
            case .command: .command
            case .native: .native
            case .python: .python
            case .node: .node
            case .lambda: .lambda
            }
        }
    }

    struct Put: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "put", abstract: "Create or replace a function.",
            discussion: """
                python and node take --handler module.function; command and native take their program after '--'.
                --code is a directory (packed here) or a zip or tar archive; it appears at /var/task, read-only.
                """)

        @OptionGroup var agent: AgentOptions

        @Argument(help: "The function's name.")
        var name: String

        @Option(name: .long, help: "How it is served.")
        var runtime: RuntimeName

        @Option(name: .long, help: "Directory, zip or tar with the code.")
        var code: String?

        @Option(name: .long, help: "module.function, for python and node.")
        var handler = ""

        @Option(name: .long, help: "Image it runs in.")
        var image = ""

        @Option(name: .long, help: "Memory limit, such as 128M.")
        var memory: ByteCount?

        @Option(name: .long, help: "CPU limit, such as 0.5.")
        var cpus = 0.0

        @Option(name: .long, help: "Most processes and threads.")
        var pids: UInt32 = 0

        @Option(name: .long, help: "Size of /tmp, such as 64M.")
        var tmp: ByteCount?

        @Option(name: .long, help: "Time limit of one invocation, such as 5s.")
        var timeout: TimeSpan?

        @Option(name: .long, help: "A payload that is run before a sandbox counts as ready.")
        var warmup = ""

        @Option(name: [.customShort("e"), .long], help: "Environment variable KEY=VALUE; may be repeated.")
        var env: [EnvironmentVariable] = []

        @Option(name: .long, help: "Sandboxes kept ready at all times.")
        var minReady: UInt32 = 0

        @Option(name: .long, help: "Most invocations at once.")
        var maxConcurrency: UInt32 = 0

        @Option(name: .long, help: "A topic whose events make it ready; may be repeated.")
        var topic: [String] = []

        @Option(name: .long, help: "A label KEY=VALUE of your own; may be repeated.")
        var label: [EnvironmentVariable] = []

        @Flag(name: .long, help: "Print the function as JSON.")
        var json = false

        @Argument(parsing: .postTerminator, help: "Program and arguments, for command and native.")
        var command: [String] = []

        func run() throws {
            try reporting {
                var request = HearthPutFunctionRequest()
                request.spec.name = name
                request.spec.runtime = runtime.wire
                request.spec.handler = handler
                request.spec.argv = command
                request.spec.image = image
                request.spec.memoryBytes = memory?.value ?? 0
                request.spec.cpus = cpus
                request.spec.pids = pids
                request.spec.tmpBytes = tmp?.value ?? 0
                request.spec.timeoutNs = timeout?.nanoseconds ?? 0
                request.spec.warmupEvent = .init(warmup.utf8)
                request.spec.env = env.dictionary
                request.spec.minReady = minReady
                request.spec.maxConcurrency = maxConcurrency
                request.spec.labels = label.dictionary
                if let comma = topic.first(where: { $0.contains(",") || $0.isEmpty }) {
                    throw Failure("'\(comma)' is no topic", remedy: "give one without commas; repeat --topic for more")
                }
                if !topic.isEmpty { request.spec.labels["hearth.topics"] = topic.joined(separator: ",") }
                let client = try agent.connect()
                let info: HearthFunctionInfo
                if let code {
                    let archive = try CodeArchive(path: code)
                    request.codeFormat = archive.format
                    request.codeSize = archive.size
                    info = try withExtendedLifetime(archive.file) {
                        try client.putFunction(request, code: .descriptor(archive.descriptor))
                    }
                } else {
                    request.codeFormat = .none
                    info = try client.putFunction(request)
                }
                if json {
                    JSON.print(FunctionView.json(info))
                } else {
                    Terminal.write("\(info.spec.name) generation \(info.generation)\n")
                }
            }
        }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(commandName: "list", abstract: "List the functions.")
        @OptionGroup var agent: AgentOptions
        @Flag(name: .long, help: "Print JSON.") var json = false
        @Flag(name: .shortAndLong, help: "Print names only.") var quiet = false

        func run() throws {
            try reporting {
                let functions = try agent.connect().listFunctions()
                if json { return JSON.print(.array(functions.map(FunctionView.json))) }
                if quiet { return functions.forEach { Terminal.write($0.spec.name + "\n") } }
                var table = Table(
                    ["NAME", "RUNTIME", "HANDLER", "IMAGE", "MEMORY", "TIMEOUT", "CODE", "GENERATION"],
                    rightAligned: [4, 5, 6, 7])
                for info in functions {
                    let spec = info.spec
                    table.add([
                        spec.name, Words.runtime(spec.runtime),
                        spec.handler.isEmpty ? spec.argv.joined(separator: " ") : spec.handler, spec.image,
                        Format.bytes(spec.memoryBytes), Format.duration(spec.timeoutNs), Format.bytes(info.codeBytes),
                        String(info.generation),
                    ])
                }
                table.print()
            }
        }
    }

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(commandName: "show", abstract: "Show a function.")
        @OptionGroup var agent: AgentOptions
        @Argument(help: "The function.") var name: String
        @Flag(name: .long, help: "Print JSON.") var json = false

        func run() throws {
            try reporting {
                let info = try agent.connect().getFunction(name)
                if json { return JSON.print(FunctionView.json(info)) }
                for (key, value) in FunctionView.lines(info) {
                    let label = key + String(repeating: " ", count: max(0, 16 - key.count))
                    Terminal.write(Terminal.styled(label, "1") + Terminal.printable(value) + "\n")
                }
            }
        }
    }

    struct Delete: ParsableCommand {
        static let configuration = CommandConfiguration(commandName: "delete", abstract: "Delete functions.")
        @OptionGroup var agent: AgentOptions
        @Argument(help: "The functions.") var names: [String]

        func run() throws {
            try reporting {
                let client = try agent.connect()
                for name in names { _ = try client.deleteFunction(name) }
            }
        }
    }
}

/// A function as it is shown.
enum FunctionView {
    static func lines(_ info: HearthFunctionInfo) -> [(String, String)] {
        let spec = info.spec
        var lines = [
            ("name", spec.name), ("runtime", Words.runtime(spec.runtime)), ("image", spec.image),
            ("memory", Format.bytes(spec.memoryBytes)), ("cpus", spec.cpus == 0 ? "no limit" : "\(spec.cpus)"),
            ("processes", "\(spec.pids)"), ("tmp", Format.bytes(spec.tmpBytes)),
            ("timeout", Format.duration(spec.timeoutNs)), ("min ready", "\(spec.minReady)"),
            ("max concurrency", "\(spec.maxConcurrency)"), ("generation", "\(info.generation)"),
            ("code", info.codeDigest.isEmpty ? "none" : "\(info.codeDigest) (\(Format.bytes(info.codeBytes)))"),
        ]
        if !spec.handler.isEmpty { lines.insert(("handler", spec.handler), at: 2) }
        if !spec.argv.isEmpty { lines.insert(("program", spec.argv.joined(separator: " ")), at: 2) }
        for (key, value) in spec.labels.sorted(by: { $0.key < $1.key }) { lines.append(("label \(key)", value)) }
        for (key, value) in spec.env.sorted(by: { $0.key < $1.key }) { lines.append(("env \(key)", value)) }
        return lines + AnalysisView.lines(info)
    }

    static func json(_ info: HearthFunctionInfo) -> JSON.Value {
        let spec = info.spec
        return .object([
            "name": .string(spec.name), "runtime": .string(Words.runtime(spec.runtime)),
            "handler": .string(spec.handler),
            "argv": .array(spec.argv.map { .string($0) }), "image": .string(spec.image),
            "memory_bytes": JSON.Value(spec.memoryBytes), "cpus": .number(spec.cpus),
            "pids": .integer(Int64(spec.pids)), "tmp_bytes": JSON.Value(spec.tmpBytes),
            "timeout_ns": JSON.Value(spec.timeoutNs), "env": .object(spec.env.mapValues { .string($0) }),
            "min_ready": .integer(Int64(spec.minReady)), "max_concurrency": .integer(Int64(spec.maxConcurrency)),
            "code_digest": .string(info.codeDigest), "code_bytes": JSON.Value(info.codeBytes),
            "generation": JSON.Value(info.generation), "created_unix_ms": .integer(info.createdUnixMs),
            "updated_unix_ms": .integer(info.updatedUnixMs),
            "labels": .object(spec.labels.mapValues { .string($0) }), "analysis": AnalysisView.json(info),
        ])
    }
}
