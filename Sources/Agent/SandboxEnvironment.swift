import Glibc
import Linux
import Sandbox
import Wire

/// What every function's sandbox is made with: the factory, images, filters, limits and the runtimes' command lines.
@LoopActor
final class SandboxEnvironment {
    /// Where a function's code is, inside.
    nonisolated static let codeDirectory = "/var/task"

    let factory: SandboxFactory
    let limits: AgentLimits
    let runtimes: RuntimeCatalog
    let filter: SeccompProgram
    let initFilter: SeccompProgram?
    let null: SharedFD
    private var images: [String: UInt32] = [:]

    init(
        factory: SandboxFactory, limits: AgentLimits, runtimes: RuntimeCatalog, filter: SeccompProgram,
        initFilter: SeccompProgram?
    ) throws(AgentError) {
        self.factory = factory
        self.limits = limits
        self.runtimes = runtimes
        self.filter = filter
        self.initFilter = initFilter
        do throws(Errno) {
            null = SharedFD(try Files.open("/dev/null", flags: O_RDWR))
        } catch {
            throw AgentError(.internal, "/dev/null: \(error)", remedy: "repair the node's /dev", errno: error)
        }
    }

    // MARK: Images

    func setImage(_ name: String, handle: UInt32?) { images[name] = handle }
    func hasImage(_ name: String) -> Bool { images[name] != nil }

    func imageHandle(_ name: String) throws(AgentError) -> UInt32 {
        guard let handle = images[name] else { throw .imageNotFound(name) }
        return handle
    }

    // MARK: Specifications

    func spec(for function: FunctionRecord, image: UInt32) -> SandboxSpec {
        var limits = SandboxSpec.Limits()
        limits.memory = function.memoryBytes
        limits.processes = function.processes
        limits.cpus = function.cpus
        limits.tmpBytes = function.tmpBytes
        return SandboxSpec(image: image, limits: limits)
    }

    /// The program of a function: its own, or its runtime's bootstrap.
    func command(for function: FunctionRecord) throws(AgentError) -> SpawnRequest {
        var environment = ["PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/tmp", "TMPDIR": "/tmp", "LANG": "C.UTF-8"]
        let argv: [String]
        switch function.runtime {
        case .command, .native, .lambda:
            argv = function.argv
            environment.merge(function.environment) { _, new in new }
        case .python, .node:
            // The function's own variables come with INIT: the process may be there before the function is known.
            let runtime = try runtimes.runtime(function.runtime.rawValue)
            argv = runtime.argv(memory: function.memoryBytes)
            environment.merge(runtime.environment) { _, new in new }
        }
        return SpawnRequest(
            argv: argv, environment: environment.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" },
            directory: function.codeDigest.isEmpty ? "/tmp" : Self.codeDirectory, filter: filter,
            rlimits: resourceLimits(memory: function.memoryBytes, processes: function.processes))
    }

    /// Limits of each process, beside those of the group. Where the machine has no memory or pids controller these are the
    /// only ones: RLIMIT_DATA bounds a process's private writable memory, RLIMIT_NPROC the tasks of the sandbox's own uid.
    func resourceLimits(memory: Int64, processes: Int64) -> [ResourceLimit] {
        var limits = [
            ResourceLimit(.core, 0), ResourceLimit(.lockedMemory, 64 << 10), ResourceLimit(.openFiles, 1024),
            ResourceLimit(.messageQueues, 0), ResourceLimit(.realTimePriority, 0),
            ResourceLimit(.processes, UInt64(processes)),
        ]
        if !factory.cgroups.hasMemory { limits.append(ResourceLimit(.data, UInt64(memory))) }
        return limits
    }
}
