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
    let codeMounts: CodeMounts
    let descriptors = SpareDescriptors()
    let limits: AgentLimits
    let runtimes: RuntimeCatalog
    let filter: SeccompProgram
    let waitingFilter: WaitingFilter
    let initFilter: SeccompProgram?
    /// Stricter filters that a function may name.
    let namedFilters: [String: StricterFilter]
    let null: SharedFD
    let restart: RestartFile
    /// What sandboxes are made with here: filters, interfaces, the runtimes' command lines. One that was made with something
    /// else, by an older version of hearthd or with other profiles, is not taken over.
    let posture: UInt64
    private var images: [String: UInt32] = [:]
    /// What runtimes import before their function is known, from the functions' code.
    var preloads = PreloadLists()

    init(
        factory: SandboxFactory, limits: AgentLimits, runtimes: RuntimeCatalog, programs: SeccompPrograms,
        posture: UInt64, restart: RestartFile
    ) throws(AgentError) {
        self.posture = posture
        self.restart = restart
        self.factory = factory
        codeMounts = CodeMounts { [factory] digest, completion in factory.codeMount(digest, completion: completion) }
        self.limits = limits
        self.runtimes = runtimes
        filter = programs.function
        waitingFilter = programs.waiting
        initFilter = programs.initial
        namedFilters = programs.named
        do throws(Errno) {
            null = SharedFD(try Files.open("/dev/null", flags: O_RDWR))
        } catch {
            throw AgentError(.internal, "/dev/null: \(error)", remedy: "repair the node's /dev", errno: error)
        }
    }

    // MARK: Images

    func setImage(_ name: String, handle: UInt32?) { images[name] = handle }
    func hasImage(_ name: String) -> Bool { images[name] != nil }

    func imageName(_ handle: UInt32) -> String? { images.first { $0.value == handle }?.key }

    func imageHandle(_ name: String) throws(AgentError) -> UInt32 {
        guard let handle = images[name] else { throw .imageNotFound(name) }
        return handle
    }

    // MARK: Specifications

    func base(of function: FunctionRecord) -> SandboxBase {
        SandboxBase(image: function.image, tmpBytes: function.tmpBytes)
    }

    /// How the function's runtime is started; nil where the program is the function's own, so that nothing can run before it is known.
    func launch(of function: FunctionRecord) -> RuntimeLaunch? {
        guard function.hasBootstrap,
            let runtime = try? runtimes.runtime(function.runtime.rawValue)
        else { return nil }
        let needsMemory = runtime.memoryArgument != nil || !factory.cgroups.hasMemory
        return RuntimeLaunch(
            runtime: function.runtime, memory: needsMemory ? function.memoryBytes : 0, processes: function.processes)
    }

    /// Whether a runtime that waits without a function can be this one's: not where the function sets what a module that
    /// may have been imported already has read.
    func canShareRuntime(_ function: FunctionRecord) -> Bool {
        guard let runtime = try? runtimes.runtime(function.runtime.rawValue) else { return false }
        return runtime.readAtImport.isDisjoint(with: function.environment.keys)
    }

    /// Takes what the analysis of a function's code found.
    func learnPreloads(_ function: FunctionRecord, _ analysis: HearthCodeAnalysis) {
        guard let launch = launch(of: function), let runtime = try? runtimes.runtime(function.runtime.rawValue) else {
            return
        }
        preloads.learn(function.name, launch, analysis, allowed: runtime.mayPreload)
    }

    /// Limits of a sandbox that has a function.
    func limits(of function: FunctionRecord) -> SandboxSpec.Limits {
        var limits = SandboxSpec.Limits()
        limits.memory = function.memoryBytes
        limits.processes = function.processes
        limits.cpus = function.cpus
        limits.tmpBytes = function.tmpBytes
        return limits
    }

    /// Limits of one that waits for a function.
    func limits(of base: SandboxBase, _ launch: RuntimeLaunch?) -> SandboxSpec.Limits {
        var limits = SandboxSpec.Limits()
        limits.memory = max(launch?.memory ?? 0, self.limits.defaultMemory)
        limits.processes = launch?.processes ?? self.limits.defaultProcesses
        limits.tmpBytes = base.tmpBytes
        return limits
    }

    private static let variables = [
        "PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/tmp", "TMPDIR": "/tmp", "LANG": "C.UTF-8",
    ]

    /// The program of a function: its own, or its runtime's bootstrap.
    /// - Parameter inheritsFilter: PID 1 has everybody's filter, and what it starts inherits it.
    func command(for function: FunctionRecord, inheritsFilter: Bool) throws(AgentError) -> SpawnRequest {
        var request = try unfilteredCommand(for: function)
        request.filter = try filter(for: function, inherits: inheritsFilter)
        return request
    }

    private func unfilteredCommand(for function: FunctionRecord) throws(AgentError) -> SpawnRequest {
        let directory = function.codeDigest.isEmpty ? "/tmp" : Self.codeDirectory
        if let launch = launch(of: function) { return try command(for: launch, directory: directory) }
        if function.hasBootstrap {
            // Says which runtime is not installed.
            _ = try runtimes.runtime(function.runtime.rawValue)
        }
        let environment = Self.variables.merging(function.environment) { _, new in new }
        return request(
            function.argv, environment, directory, memory: function.memoryBytes, processes: function.processes)
    }

    /// A language runtime that waits for a function, with what it preloads.
    func command(preloading launch: RuntimeLaunch) throws(AgentError) -> SpawnRequest {
        try command(for: launch, directory: "/tmp", preloads: true)
    }

    /// The function's own variables come with INIT: the process may be there before the function is known.
    private func command(
        for launch: RuntimeLaunch, directory: String, preloads: Bool = false
    ) throws(AgentError) -> SpawnRequest {
        let runtime = try runtimes.runtime(launch.runtime.rawValue)
        var environment = Self.variables.merging(runtime.environment) { _, new in new }
        if preloads {
            let modules = runtime.preload + self.preloads.modules(launch).filter { !runtime.preload.contains($0) }
            if !modules.isEmpty { environment["HEARTH_PRELOAD"] = modules.joined(separator: ",") }
        }
        return request(
            runtime.argv(memory: launch.memory), environment, directory, memory: launch.memory,
            processes: launch.processes)
    }

    private func request(
        _ argv: [String], _ environment: [String: String], _ directory: String, memory: Int64, processes: Int64
    ) -> SpawnRequest {
        SpawnRequest(
            argv: argv, environment: environment.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" },
            directory: directory, filter: filter, rlimits: resourceLimits(memory: memory, processes: processes))
    }

    /// Limits of each process, beside those of the group. Where the machine has no memory or pids controller these are the
    /// only ones: RLIMIT_DATA bounds a process's private writable memory, RLIMIT_NPROC the tasks of the sandbox's own uid.
    func resourceLimits(memory: Int64, processes: Int64) -> [ResourceLimit] {
        var limits = [
            // No image of a tenant's memory on anybody's disk; no memory that cannot be reclaimed; no queues that outlive a process.
            ResourceLimit(.core, 0), ResourceLimit(.lockedMemory, 0), ResourceLimit(.messageQueues, 0),
            // Neither priority over the neighbours nor real time.
            ResourceLimit(.nice, 0), ResourceLimit(.realTimePriority, 0),
            // What the kernel counts by uid: descriptors (in flight too), queued signals, tasks. No limit of file size: each
            // place that can be written to is a tmpfs with its own.
            ResourceLimit(.openFiles, 1024), ResourceLimit(.pendingSignals, 1024),
            ResourceLimit(.processes, UInt64(processes)),
        ]
        if !factory.cgroups.hasMemory { limits.append(ResourceLimit(.data, UInt64(memory))) }
        return limits
    }
}
