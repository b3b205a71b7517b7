import Linux
import Logging
import NurseryABI
import Sandbox
import Wire

/// Finding the nursery: a service's, the one that an earlier hearthd left, or a new one.
extension Agent {
    /// How long a nursery that is there may take to greet; one that takes longer is stuck.
    nonisolated private static let patience: Int32 = 5000

    nonisolated static func nurseryConfiguration(
        _ configuration: AgentConfiguration, user: UInt32? = nil
    ) -> NurseryConfiguration {
        NurseryConfiguration(
            executable: configuration.nurseryExecutable,
            socket: configuration.nurserySocket ?? configuration.state + "/nursery.sock",
            images: configuration.state + "/images", code: configuration.state + "/code",
            runtimes: configuration.share + "/runtimes", linger: configuration.nurseryLinger,
            networks: configuration.networks, user: user)
    }

    /// The nursery of `nursery_socket`: its process, and the group that it and the sandboxes live in. Nil without that setting.
    nonisolated static func connectService(
        _ configuration: AgentConfiguration
    ) throws(SandboxError) -> (process: Int32, home: String)? {
        guard let path = configuration.nurserySocket else { return nil }
        // With socket activation this is what starts it.
        guard let connection = NurseryProcess.connect(nurseryConfiguration(configuration)),
            let greeting = NurseryProcess.greet(connection, within: patience)
        else {
            throw .nurseryUnavailable(
                "no nursery of this version answers on \(path); start hearth-nursery.socket, or leave nursery_socket out"
            )
        }
        do throws(Errno) {
            return (greeting.pid, try NurseryProcess.home(of: greeting.pid))
        } catch {
            throw .nurseryUnavailable("the group of process \(greeting.pid): \(error)")
        }
    }

    /// A connection to a nursery. One that was there before keeps its sandboxes: whoever connects asks for them.
    nonisolated static func findNursery(
        _ configuration: AgentConfiguration, _ cgroups: CgroupTree, user: UInt32?, _ logger: Logger
    ) throws(AgentError) -> (SharedFD, StartedNurseryBox?) {
        let nursery = nurseryConfiguration(configuration, user: user)
        if let old = NurseryProcess.connect(nursery) {
            if let greeting = NurseryProcess.greet(old, within: patience) {
                if !NurseryProcess.runs(nursery.executable, process: greeting.pid) {
                    logger.warning(
                        "the nursery that is there runs another program than the one installed",
                        metadata: [
                            "pid": "\(greeting.pid)",
                            "remedy":
                                "to replace it, and every sandbox with it, stop hearthd with SIGTERM or restart hearth-nursery",
                        ])
                }
                return (SharedFD(old), nil)
            }
            guard configuration.nurserySocket == nil else {
                throw AgentError(
                    .unavailable, "the nursery on \(nursery.socket) does not answer",
                    remedy: "restart hearth-nursery.service")
            }
            logger.warning("the nursery of an earlier hearthd does not answer; it ends, and its sandboxes with it")
        }
        cgroups.killNursery()
        for leaf in cgroups.leaves() { cgroups.sweep(leaf) }
        do throws(SandboxError) {
            let started = try NurseryProcess.start(nursery, cgroup: cgroups.nurseryDirectory)
            return started.take { process, connection in (SharedFD(connection), StartedNurseryBox(process)) }
        } catch {
            throw AgentError(error)
        }
    }

    /// What the sandboxes of this hearthd are made with; see `SandboxEnvironment.posture`.
    nonisolated static func posture(_ programs: SeccompPrograms, _ runtimes: RuntimeCatalog) -> UInt64 {
        var digest = Checksum()
        for value in [UInt64(HN_VERSION), programs.digest, runtimes.digest] {
            withUnsafeBytes(of: value) { digest.add($0) }
        }
        return digest.value
    }

    /// A file of the state directory that a later start reads; `without`: what its lack costs, for the log. Nil where the disk has
    /// no room for it: a restart then knows less, nothing else changes.
    nonisolated static func mappedFile(
        _ path: String, size: Int, without: String, _ logger: Logger
    ) -> MappedFile? {
        do throws(Errno) {
            return try MappedFile(path: path, size: size)
        } catch {
            logger.warning("\(without)", metadata: ["file": "\(path)", "error": "\(error)"])
            return nil
        }
    }
}
