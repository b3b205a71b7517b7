import ArgumentParser
import Glibc
import HearthClient
import Linux
import Wire

/// `hearth run`: one program in a sandbox of its own.
struct RunCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Run a program in a new sandbox and leave with its status.",
        discussion: """
            Output goes straight from the sandbox to this command's own stdout and stderr. With -i and a terminal the
            program gets a terminal of its own.
            Exit status: the program's; 128 + N when signal N ended it; 124 after the timeout; 137 out of memory;
            127 when there is no such program, 126 when it cannot be executed; 125 when the agent could not run it.
            """)

    @OptionGroup var agent: AgentOptions

    @Option(name: .long, help: "Image to run in.")
    var image = "host"

    @Option(name: .long, help: "Memory limit, such as 128M.")
    var memory: ByteCount?

    @Option(name: .long, help: "CPU limit, such as 0.5.")
    var cpus = 0.0

    @Option(name: .long, help: "Most processes and threads.")
    var pids: UInt32 = 0

    @Option(name: .long, help: "Time limit, such as 5s.")
    var timeout: TimeSpan?

    @Option(name: [.customShort("e"), .long], help: "Environment variable KEY=VALUE; may be repeated.")
    var env: [EnvironmentVariable] = []

    @Option(name: .long, help: "Working directory inside.")
    var cwd = ""

    @Flag(name: [.customShort("i"), .long], help: "Keep stdin; with a terminal, give the program one.")
    var interactive = false

    @Argument(parsing: .postTerminator, help: "The program and its arguments, after '--'.")
    var command: [String] = []

    func validate() throws {
        if command.isEmpty { throw ValidationError("no program: put it after '--', for example: hearth run -- ls /") }
    }

    func run() throws {
        try reporting(status: 125) {
            var request = HearthRunRequest()
            request.argv = command
            request.image = image
            request.memoryBytes = memory?.value ?? 0
            request.cpus = cpus
            request.pids = pids
            request.timeoutNs = timeout?.nanoseconds ?? 0
            request.env = env.dictionary
            request.cwd = cwd
            let client = try agent.connect()
            let response: HearthRunResponse
            if interactive, isatty(0) == 1, isatty(1) == 1 {
                request.tty = true
                if request.env["TERM"] == nil { request.env["TERM"] = Environment.value("TERM") ?? "xterm" }
                let terminal = try TerminalRelay()
                response = try client.run(request, stdio: (terminal.slave, terminal.slave, terminal.slave))
                terminal.finish()
            } else {
                response = try runPlain(client, request)
            }
            try leave(response)
        }
    }

    /// A terminal is never handed into a sandbox: whoever holds it could type into it or read from it. Pipes and files
    /// are handed over as they are.
    private func runPlain(_ client: HearthClient, _ request: HearthRunRequest) throws -> HearthRunResponse {
        let null = SharedFD(try Files.open("/dev/null", flags: O_RDWR))
        let input = interactive && isatty(0) == 0 ? 0 : null.rawValue
        if isatty(1) == 0, isatty(2) == 0 {
            return try withExtendedLifetime(null) { try client.run(request, stdio: (input, 1, 2)) }
        }
        return try client.run(request, input: interactive ? .descriptor(0) : nil) { channel, bytes in
            if channel == .standardError { Terminal.writeError(Array(bytes)) } else { Terminal.write(Array(bytes)) }
            return .more
        }
    }

    private func leave(_ response: HearthRunResponse) throws {
        func explain() {
            var text = "hearth: \(response.error.message)\n"
            if !response.error.hint.isEmpty { text += "  \(response.error.hint)\n" }
            Terminal.writeError(text)
        }
        switch response.outcome {
        case .ok:
            if response.exitStatus != 0 { throw ExitCode(response.exitStatus) }
        case .crashed: throw ExitCode(128 + response.signal)
        case .timeout:
            explain()
            throw ExitCode(124)
        case .outOfMemory:
            explain()
            throw ExitCode(137)
        case .initFailed:
            explain()
            throw ExitCode(response.error.message.contains("ENOENT") ? 127 : 126)
        default:
            explain()
            throw ExitCode(125)
        }
    }
}
