import Glibc
import Images
import Linux
package import Logging
import Sandbox
import Wire

/// What an agent is put together from, made in order at start. Everything that can be wrong with the machine or the
/// configuration is found here, before the socket is opened.
struct AgentParts {
    /// Numbers of invocations are reserved in blocks, so that giving one costs no write.
    static let invocationBlock: UInt64 = 1_000_000

    let configuration: AgentConfiguration
    let logger: Logger
    let registry: Registry
    let code: CodeStore
    let images: ImageStore
    let environment: SandboxEnvironment
    let listener: SharedFD
    let nursery: StartedNurseryBox?
    let firstInvocation: UInt64
}

/// A nursery that this agent started and must reap.
@LoopActor
final class StartedNurseryBox {
    private let process: Linux.Process

    nonisolated init(_ process: consuming Linux.Process) {
        self.process = process
    }

    func reap() {
        _ = try? process.wait(timeout: 5_000_000_000)
    }
}

extension Agent {
    /// Starts an agent: state directory, registry, image, cgroups, nursery, socket.
    package nonisolated static func start(_ configuration: AgentConfiguration, logger: Logger) async throws(AgentError)
        -> Agent
    {
        let state = configuration.state
        do throws(Errno) {
            for directory in [state, state + "/images", state + "/code"] {
                try Files.makeDirectories(directory, mode: 0o700)
            }
            if let end = configuration.socket.lastIndex(of: "/"), end != configuration.socket.startIndex {
                try Files.makeDirectories(String(configuration.socket[..<end]))
            }
        } catch {
            throw AgentError(
                .internal, "the state directory \(state): \(error)",
                remedy: "give a directory that hearthd may write to",
                errno: error)
        }
        // sun_path has 108 bytes; the nursery's socket lies in the state directory.
        for path in [configuration.socket, state + "/nursery.sock"] where path.utf8.count > 107 {
            throw .invalid("the socket path \(path) is longer than 107 bytes", remedy: "use a shorter directory")
        }
        let listener = try claimSocket(configuration)
        do throws(AgentError) {
            return try await start(configuration, listener, logger)
        } catch {
            try? Files.unlink(configuration.socket)
            throw error
        }
    }

    nonisolated private static func start(
        _ configuration: AgentConfiguration, _ listener: SharedFD, _ logger: Logger
    ) async throws(AgentError) -> Agent {
        let state = configuration.state
        let registry = try Registry(path: state + "/hearth.db")
        let code = CodeStore(root: state + "/code")
        let images = ImageStore(root: state + "/images")
        let prepared: [Image]
        do throws(ImageError) {
            try code.recover()
            try images.recover()
            _ = try images.prepareHost()
            prepared = try images.list()
        } catch {
            throw AgentError(error, what: "the stores in \(state)")
        }
        let programs = try SeccompPrograms(share: configuration.share, profiles: configuration.seccompProfiles)
        let runtimes = try RuntimeCatalog(directory: configuration.share + "/runtimes")
        let cgroups: CgroupTree
        do throws(SandboxError) {
            let service = try connectService(configuration)
            cgroups = try CgroupTree(
                instance: instanceTag(state), parent: configuration.cgroupParent ?? service?.home,
                nursery: service?.process)
        } catch {
            throw AgentError(error)
        }
        let missing = configuration.requireControllers.filter { !cgroups.controllers.contains($0) }
        guard missing.isEmpty else {
            cgroups.remove()
            throw AgentError(
                .failedPrecondition, "cgroup v2 has no controller \(missing.joined(separator: ", ")) on this machine",
                remedy: "boot with cgroup_no_v1=all, or take it out of require_controllers")
        }
        if let error = cgroups.deviceFilterError {
            logger.warning(
                "sandboxes have no cgroup device filter",
                metadata: ["error": "\(error)", "details": "hearth doctor"])
        }
        if !cgroups.hasMemory || !cgroups.hasPids {
            logger.warning(
                "limits fall back to rlimits: cgroup v2 lacks controllers here",
                metadata: ["has": "\(cgroups.controllers.sorted())", "details": "hearth doctor"])
        }
        let firstInvocation = try registry.reserve("invocation", count: AgentParts.invocationBlock)
        let firstSandbox = try registry.reserve("sandbox", count: 10_000_000)
        let (records, damaged) = try registry.functions(limits: configuration.limits)
        for name in damaged {
            logger.error(
                "a function cannot be read and is left out",
                metadata: ["function": "\(name)", "remedy": "put it again, or raise the limit that it passes"])
        }
        let connection: SharedFD
        let nursery: StartedNurseryBox?
        do throws(AgentError) {
            (connection, nursery) = try findNursery(configuration, cgroups, logger)
        } catch {
            cgroups.remove()
            throw error
        }
        do throws(AgentError) {
            return try await assemble(
                AssemblyInput(
                    configuration: configuration, logger: logger, registry: registry, code: code, images: images,
                    stored: prepared, programs: programs, runtimes: runtimes, cgroups: cgroups, records: records,
                    listener: listener, connection: connection, nursery: nursery, firstInvocation: firstInvocation,
                    firstSandbox: firstSandbox, restart: restartFile(state, logger)))
        } catch {
            // Nothing of a start that failed is left: not the nursery, not its groups. One that was there before has
            // sandboxes of its own and stays.
            if let nursery {
                if let duplicate = try? connection.duplicate() { NurseryProcess.end(duplicate) }
                await nursery.reap()
                cgroups.remove()
            }
            throw error
        }
    }

    private struct AssemblyInput: Sendable {
        let configuration: AgentConfiguration
        let logger: Logger
        let registry: Registry
        let code: CodeStore
        let images: ImageStore
        let stored: [Image]
        let programs: SeccompPrograms
        let runtimes: RuntimeCatalog
        let cgroups: CgroupTree
        let records: [FunctionRecord]
        let listener: SharedFD
        let connection: SharedFD
        let nursery: StartedNurseryBox?
        let firstInvocation: UInt64
        let firstSandbox: UInt64
        let restart: MappedFile?
    }

    /// The part on the loop: nursery client, images, agent.
    @LoopActor
    private static func assemble(_ input: AssemblyInput) async throws(AgentError) -> Agent {
        let client: NurseryClient
        do throws(Errno) {
            client = try NurseryClient(try input.connection.duplicate())
        } catch {
            throw AgentError(.internal, "the nursery's socket: \(error)", remedy: "see the agent's log", errno: error)
        }
        let factory = SandboxFactory(nursery: client, cgroups: input.cgroups, firstID: input.firstSandbox)
        let environment = try SandboxEnvironment(
            factory: factory, limits: input.configuration.limits, runtimes: input.runtimes, programs: input.programs,
            posture: posture(input.programs, input.runtimes), restart: RestartFile(input.restart))
        for image in input.stored {
            let result = await withCheckedContinuation { continuation in
                factory.prepareImage(image.directory, host: image.kind == .host) { continuation.resume(returning: $0) }
            }
            switch result {
            case .success(let handle): environment.setImage(image.name, handle: handle)
            case .failure(let error):
                guard image.kind != .host else { throw AgentError(error) }
                input.logger.error(
                    "an image cannot be mounted", metadata: ["image": "\(image.name)", "error": "\(error)"])
            }
        }
        let agent = try Agent(
            AgentParts(
                configuration: input.configuration, logger: input.logger, registry: input.registry, code: input.code,
                images: input.images, environment: environment, listener: input.listener, nursery: input.nursery,
                firstInvocation: input.firstInvocation))
        let kept = await withCheckedContinuation { continuation in
            factory.adopt { continuation.resume(returning: $0) }
        }
        try agent.open(input.records, try kept.mapError { AgentError($0) }.get())
        return agent
    }

    /// Tells the agents of one machine apart by their state directories (FNV-1a).
    nonisolated static func instanceTag(_ state: String) -> String {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in state.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        let text = String(hash, radix: 16)
        return String(repeating: "0", count: 16 - text.count) + text
    }
}
