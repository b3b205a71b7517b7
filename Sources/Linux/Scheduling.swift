import Glibc

/// How the kernel's scheduler treats a thread (sched(7)).
package enum Scheduling {
    /// SCHED_OTHER and SCHED_IDLE; the C library's macros do not reach Swift on every system.
    private static let usual: Int32 = 0
    private static let idle: Int32 = 5

    /// Runs a thread only on time that others leave, or as any other again.
    package static func setIdle(thread: Int32, _ isIdle: Bool) throws(Errno) {
        var parameters = sched_param()
        _ = try systemCall { sched_setscheduler(thread, isIdle ? Self.idle : usual, &parameters) }
    }

    /// Whether a thread runs only on time that others leave.
    package static func isIdle(thread: Int32) throws(Errno) -> Bool {
        // The highest bit is SCHED_RESET_ON_FORK.
        try systemCall { sched_getscheduler(thread) } & 0x3fff_ffff == idle
    }

    /// Weight of a session's autogroup against the others': where the kernel groups tasks by session (CONFIG_SCHED_AUTOGROUP),
    /// a thread's own class counts only among those of its session.
    package static func setSessionNice(process: Int32, _ nice: Int) throws(Errno) {
        try Files.writeControl(String(nice), to: "/proc/\(process)/autogroup")
    }

    package static var groupsBySession: Bool {
        ((try? Files.readText("/proc/sys/kernel/sched_autogroup_enabled")) ?? "0").hasPrefix("1")
    }
}
