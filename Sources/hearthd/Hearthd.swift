import Agent
import ArgumentParser
import Dispatch
import Glibc
import Linux
import Logging
import Synchronization

/// The node agent.
@main
struct Hearthd: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "hearthd",
        abstract: "The Hearth node agent: runs functions in sandboxes that are ready before the request.",
        discussion: """
            Flags win over the configuration file. Stops on SIGTERM or SIGINT when what runs has finished; on SIGUSR2 too, but \
            leaves the warm sandboxes to the next hearthd.
            """)

    @Option(name: .long, help: "YAML configuration file.")
    var config: String?

    @Option(name: .long, help: "Socket to listen on (default /run/hearth/agent.sock, or HEARTH_SOCKET).")
    var socket: String?

    @Option(name: .long, help: "State directory (default /var/lib/hearth).")
    var state: String?

    @Option(name: .long, help: "Directory with runtimes and seccomp profiles (default: beside the executable).")
    var share: String?

    @Option(name: .long, help: "The hearth-nursery executable (default: beside this one).")
    var nursery: String?

    @Option(name: .long, help: "User to become once no privilege is needed: a name, a uid or uid:gid (default: stay).")
    var user: String?

    func run() throws {
        // On the main thread, which waits below with its mask: every later thread inherits it, so the signals are only ever
        // read from a descriptor. An async main would give this thread to libdispatch, which waits with an empty mask.
        SignalSource.block()
        // Privilege is given up here too, before there is another thread that would keep it.
        let configuration: AgentConfiguration
        let logger: Logger
        let ground: AgentGround
        do throws(AgentError) {
            configuration = try settings()
            logger = AgentLog.make(level: configuration.logLevel, format: configuration.logFormat)
            ground = try Agent.prepare(configuration, logger: logger)
        } catch {
            Self.tell(error)
            throw ExitCode(1)
        }
        let ended = DispatchSemaphore(value: 0)
        let status = Mutex<Int32>(0)
        Task.detached {
            let result = await Self.serve(configuration, ground, logger)
            status.withLock { $0 = result }
            ended.signal()
        }
        ended.wait()
        let result = status.withLock { $0 }
        if result != 0 { throw ExitCode(result) }
    }

    /// The file's settings, and the flags over them.
    private func settings() throws(AgentError) -> AgentConfiguration {
        var configuration = AgentConfiguration()
        if let socket = Environment.value("HEARTH_SOCKET") { configuration.socket = socket }
        if let config { try configuration.read(file: config) }
        if let socket { configuration.socket = socket }
        if let state { configuration.state = state }
        if let share { configuration.share = share }
        if let nursery { configuration.nurseryExecutable = nursery }
        if let user { configuration.user = user }
        try Installation.complete(&configuration)
        return configuration
    }

    private static func tell(_ error: AgentError) {
        var text = "hearthd: \(error.message)\n"
        if !error.remedy.isEmpty { text += "  \(error.remedy)\n" }
        try? Message.writeAll(2, Array(text.utf8))
    }

    /// The agent's whole life; the exit status.
    private static func serve(
        _ configuration: AgentConfiguration, _ ground: AgentGround, _ logger: Logger
    ) async -> Int32 {
        do throws(AgentError) {
            let agent = try await Agent.start(configuration, on: ground, logger: logger)
            ProcessMemory.releaseCode()
            if let reason = await untilEnd(agent) {
                logger.error("ended", metadata: ["reason": "\(reason)"])
                return 1
            }
            logger.notice("stopped")
            return 0
        } catch {
            tell(error)
            return 1
        }
    }

    @LoopActor
    private static func untilEnd(_ agent: Agent) async -> String? {
        await withCheckedContinuation { continuation in
            agent.onEnd = { continuation.resume(returning: $0) }
            SignalSource.watch(stop: { agent.stop() }, handOver: { agent.handOver() })
            ServiceManager.notifyReady()
        }
    }
}
