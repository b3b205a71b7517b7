package import Linux

/// What a sandbox tells its owner.
package enum SandboxEvent: Sendable {
    /// PID 1 has built everything.
    case ready(at: Int64)
    /// A mount asked for with `bind` is in place.
    case bound(cookie: UInt32, at: Int64)
    /// A program runs; `pid` is its number inside.
    case started(cookie: UInt32, pid: Int32, at: Int64)
    /// A program has ended.
    case exited(cookie: UInt32, ProcessEnd)
    case sealed(cookie: UInt32)
    /// A filter asked for with `filter` is installed.
    case filtered(cookie: UInt32)
    /// A request with this cookie did not work; the sandbox lives on.
    case failed(cookie: UInt32, SandboxError)
    /// The sandbox is no more: nothing of it runs, and its group is gone or going.
    case ended(SandboxEnd)
}

/// How a program in a sandbox ended, and what it used (getrusage(2), with its children).
package struct ProcessEnd: Sendable, Hashable {
    package let exit: Linux.Process.Exit
    package let userMicroseconds: Int64
    package let systemMicroseconds: Int64
    package let maxResidentKiB: Int64
    package let at: Int64
}

/// The evidence that a sandbox leaves.
package struct SandboxEnd: Sendable {
    /// Why it never became ready, if so.
    package var failure: SandboxError?
    /// Processes that the OOM killer took (memory.events `oom_kill`).
    package var oomKills: Int64 = 0
    /// Forks that pids.max refused (pids.events `max`).
    package var refusedForks: Int64 = 0
    /// The most memory it held (memory.peak), 0 where the kernel does not say.
    package var peakMemory: Int64 = 0
    package var userMicroseconds: Int64 = 0
    package var systemMicroseconds: Int64 = 0
}
