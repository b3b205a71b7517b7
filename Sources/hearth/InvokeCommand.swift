import ArgumentParser
import FoundationEssentials
import Glibc
import HearthClient
import Linux
import Wire

/// `hearth invoke`: one invocation; the payload on stdout and nothing else.
struct InvokeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "invoke",
        abstract: "Invoke a function; its result goes to stdout.",
        discussion: """
            Exit status: 0 ok, 10 function_error, 11 crashed, 12 timeout, 13 out_of_memory, 14 init_failed, 15 rejected,
            16 cancelled, 17 agent_restarted; 69 when there is no agent, 1 for other errors.
            """)

    @OptionGroup var agent: AgentOptions

    @Argument(help: "The function.")
    var name: String

    @Option(name: .long, help: "The payload: JSON or other text, @FILE, or - for stdin.")
    var data = ""

    @Option(name: .long, help: "Whose request this is, for prediction.")
    var user = ""

    @Option(name: .long, help: "Time limit, such as 5s; at most the function's.")
    var timeout: TimeSpan?

    @Flag(name: .long, help: "Show the start kind and where the time went, on stderr.")
    var showTiming = false

    @Flag(name: .long, help: "Print outcome, payload, timing and logs as one JSON object.")
    var json = false

    func run() throws {
        try reporting {
            var request = HearthInvokeRequest()
            request.function = name
            request.user = user
            request.timeoutNs = timeout?.nanoseconds ?? 0
            request.wantLogs = json
            let client = try agent.connect()
            var upload: Upload?
            var file: SharedFD?
            if data == "-" {
                upload = .descriptor(0)
            } else if data.hasPrefix("@") {
                let opened = try Payload.open(String(data.dropFirst()))
                upload = .descriptor(opened.rawValue)
                file = opened
            } else {
                request.payload = .init(data.utf8)
            }
            // A result as large as the agent allows: taken as a stream, whatever a message may hold.
            request.streamResult = true
            var result: [UInt8] = []
            // The descriptor is lent by number: its owner must outlive the call.
            let response: HearthInvokeResponse
            do throws(HearthClientError) {
                response = try withExtendedLifetime(file) { () throws(HearthClientError) in
                    try client.invoke(request, payload: upload) { channel, bytes in
                        if channel == .result { result.append(contentsOf: bytes) }
                        return .more
                    }
                }
            } catch {
                guard let outcome = error.outcome else { throw error }
                throw Failure("\(Words.outcome(outcome)): \(error)", status: ExitStatus.of(outcome))
            }
            if json { printJSON(response, result) } else { printPlain(response, result) }
            let status = ExitStatus.of(response.outcome)
            if status != 0 { throw ExitCode(status) }
        }
    }

    private func printPlain(_ response: HearthInvokeResponse, _ result: [UInt8]) {
        if response.outcome == .ok {
            Terminal.write(result)
            // A person's prompt begins on a line of its own; a program gets the bytes alone.
            if isatty(1) == 1, result.last != UInt8(ascii: "\n") { Terminal.write("\n") }
        } else {
            let error = response.error
            var text = "hearth: \(Words.outcome(response.outcome)): \(Terminal.printable(error.type)): "
            text += Terminal.printable(error.message) + "\n"
            for line in error.trace { text += "  " + Terminal.printable(line) + "\n" }
            if !error.hint.isEmpty { text += "  " + error.hint + "\n" }
            Terminal.writeError(text)
            if !response.logs.isEmpty {
                Terminal.writeError("logs of the invocation\(response.logsTruncated ? " (beginning dropped)" : ""):\n")
                Terminal.writeError(Array(response.logs))
            }
        }
        if showTiming {
            let timing = response.timing
            let parts = [
                ("queued", timing.queuedNs), ("sandbox", timing.sandboxNs), ("init", timing.initNs),
                ("run", timing.runNs),
                ("total", timing.totalNs),
            ]
            let text = parts.map { "\($0.0) \(Format.duration($0.1))" }.joined(separator: ", ")
            Terminal.writeError("\(Words.start(response.startKind)) start: \(text)\n")
        }
    }

    private func printJSON(_ response: HearthInvokeResponse, _ result: [UInt8]) {
        let timing = response.timing
        var fields: [String: JSON.Value] = [
            "outcome": .string(Words.outcome(response.outcome)), "start": .string(Words.start(response.startKind)),
            "payload": result.isEmpty ? .null : JSON.Value(parsing: result),
            "timing_us": .object([
                "queued": JSON.Value(timing.queuedNs / 1000), "sandbox": JSON.Value(timing.sandboxNs / 1000),
                "init": JSON.Value(timing.initNs / 1000), "run": JSON.Value(timing.runNs / 1000),
                "total": JSON.Value(timing.totalNs / 1000),
            ]), "logs": .string(String(decoding: response.logs, as: UTF8.self)),
            "sandbox": .string(response.sandboxID), "invocation": .string(response.invocationID),
        ]
        if response.hasError {
            fields["error"] = .object([
                "type": .string(response.error.type), "message": .string(response.error.message),
                "trace": .array(response.error.trace.map { .string($0) }), "hint": .string(response.error.hint),
                "exit_status": .integer(Int64(response.error.exitStatus)),
                "signal": .integer(Int64(response.error.signal)),
            ])
        }
        JSON.print(.object(fields))
    }
}

enum Payload {
    static func open(_ path: String) throws -> SharedFD {
        do throws(Errno) {
            return SharedFD(try Files.open(path, flags: O_RDONLY))
        } catch {
            throw Failure("\(path): \(error)", remedy: "give a file that can be read")
        }
    }
}

/// The words of the protocol's enums.
enum Words {
    static func outcome(_ outcome: HearthOutcome) -> String {
        switch outcome {
        case .ok: "ok"
        case .functionError: "function_error"
        case .crashed: "crashed"
        case .timeout: "timeout"
        case .outOfMemory: "out_of_memory"
        case .initFailed: "init_failed"
        case .rejected: "rejected"
        case .cancelled: "cancelled"
        case .agentRestarted: "agent_restarted"
        case .unspecified, .UNRECOGNIZED: "unknown"
        }
    }

    static func start(_ kind: HearthStartKind) -> String {
        switch kind {
        case .cold: "cold"
        case .bare: "bare"
        case .runtime: "runtime"
        case .prefetched: "prefetched"
        case .warm: "warm"
        case .unspecified, .UNRECOGNIZED: "none"
        }
    }

    static func tier(_ tier: HearthTier) -> String {
        switch tier {
        case .bare: "bare"
        case .runtime: "runtime"
        case .ready: "ready"
        case .unspecified, .UNRECOGNIZED: "none"
        }
    }

    static func runtime(_ runtime: HearthRuntime) -> String {
        switch runtime {
        case .command: "command"
        case .native: "native"
        case .python: "python"
        case .node: "node"
        case .lambda: "lambda"
        case .unspecified, .UNRECOGNIZED: "unknown"
        }
    }
}
