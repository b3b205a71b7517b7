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

    func run() throws {
        // On the main thread, which waits below with its mask: every later thread inherits it, so the signals are only ever
        // read from a descriptor. An async main would give this thread to libdispatch, which waits with an empty mask.
        SignalSource.block()
        let ended = DispatchSemaphore(value: 0)
        let status = Mutex<Int32>(0)
        Task.detached { [self] in
            let result = await serve()
            status.withLock { $0 = result }
            ended.signal()
        }
        ended.wait()
        let result = status.withLock { $0 }
        if result != 0 { throw ExitCode(result) }
    }

    /// The agent's whole life; the exit status.
    private func serve() async -> Int32 {
        var configuration = AgentConfiguration()
        if let socket = Environment.value("HEARTH_SOCKET") { configuration.socket = socket }
        do throws(AgentError) {
            if let config { try configuration.read(file: config) }
            if let socket { configuration.socket = socket }
            if let state { configuration.state = state }
            if let share { configuration.share = share }
            if let nursery { configuration.nurseryExecutable = nursery }
            try Installation.complete(&configuration)
            let logger = AgentLog.make(level: configuration.logLevel, format: configuration.logFormat)
            let agent = try await Agent.start(configuration, logger: logger)
            if let reason = await Self.untilEnd(agent) {
                logger.error("ended", metadata: ["reason": "\(reason)"])
                return 1
            }
            logger.notice("stopped")
            return 0
        } catch {
            var text = "hearthd: \(error.message)\n"
            if !error.remedy.isEmpty { text += "  \(error.remedy)\n" }
            try? Message.writeAll(2, Array(text.utf8))
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
