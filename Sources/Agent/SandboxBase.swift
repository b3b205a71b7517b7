/// What of a sandbox is fixed when it is made: functions that agree on it can share one below the ready tier.
struct SandboxBase: Hashable, Sendable {
    let image: String
    /// Size of /tmp, which is mounted with it.
    let tmpBytes: Int64
}

/// What of a language runtime's process is fixed when it is started: functions that agree on it, and on the sandbox, can share
/// one of the runtime tier. What a process was started with is then the same whichever way it came to its function.
struct RuntimeLaunch: Hashable, Sendable {
    let runtime: RuntimeKind
    /// Bytes that its heap argument and RLIMIT_DATA are made from; 0 where neither is set.
    let memory: Int64
    /// RLIMIT_NPROC.
    let processes: Int64
}

extension FunctionRecord {
    /// It is served by a language runtime's bootstrap, which may run before the function is known.
    var hasBootstrap: Bool { runtime == .python || runtime == .node }
}
