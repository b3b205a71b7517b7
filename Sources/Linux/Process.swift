import CLinux
import Glibc

/// A process that we started or can name without a race (pidfd_open(2)).
package struct Process: ~Copyable, Sendable {
    package let pid: Int32
    package let pidfd: OwnedFD

    package init(pid: Int32, pidfd: consuming OwnedFD) {
        self.pid = pid
        self.pidfd = pidfd
    }

    package init(opening pid: Int32) throws(Errno) {
        self.init(pid: pid, pidfd: OwnedFD(owning: try systemCall { clx_pidfd_open(pid, 0) }))
    }

    /// How a process ended: an exit status, or the signal that killed it.
    package enum Exit: Sendable, Hashable {
        case status(Int32)
        case signal(Int32)
    }

    /// Starts `argv[0]` with exactly `descriptors` as 0, 1, 2, ... and nothing else open.
    /// - Throws: what clone3 or execve said.
    package static func spawn(
        _ argv: [String], environment: [String], descriptors: [Int32], newSession: Bool = false, cgroup: Int32 = -1
    ) throws(Errno) -> Process {
        var pidfd: Int32 = -1
        let pid = try withCStrings(argv) { (arguments) throws(Errno) in
            try withCStrings(environment) { (variables) throws(Errno) in
                try systemCall {
                    clx_spawn(
                        arguments, variables, descriptors, Int32(descriptors.count), newSession, cgroup, &pidfd)
                }
            }
        }
        return Process(pid: pid, pidfd: OwnedFD(owning: pidfd))
    }

    package borrowing func signal(_ number: Int32) throws(Errno) {
        let fd = pidfd.rawValue
        _ = try systemCall { clx_pidfd_signal(fd, number) }
    }

    /// Reaps the child if it has ended; nil while it runs.
    package borrowing func reap() throws(Errno) -> Exit? {
        let fd = pidfd.rawValue
        var status: Int32 = 0
        var user: Int64 = 0
        var system: Int64 = 0
        var rss: Int64 = 0
        let pid = try systemCall { clx_wait_pidfd(fd, &status, &user, &system, &rss) }
        if pid == 0 { return nil }
        return status >= 0 ? .status(status) : .signal(-status)
    }

    /// Waits at most `timeout` nanoseconds for the end (poll(2) on the pidfd), then reaps.
    package borrowing func wait(timeout: Int64) throws(Errno) -> Exit? {
        var entry = pollfd(fd: pidfd.rawValue, events: Int16(POLLIN), revents: 0)
        _ = try systemCall { poll(&entry, 1, Int32(clamping: timeout / 1_000_000)) }
        return try reap()
    }
}

/// Lends a NULL-terminated array of C strings.
func withCStrings<Result>(
    _ strings: [String], _ body: (UnsafePointer<UnsafePointer<CChar>?>) throws(Errno) -> Result
) throws(Errno) -> Result {
    let copies = strings.map { strdup($0) }
    defer { for copy in copies { free(copy) } }
    var pointers: [UnsafePointer<CChar>?] = copies.map { $0.map { UnsafePointer($0) } }
    pointers.append(nil)
    return try pointers.withUnsafeBufferPointer { (buffer) throws(Errno) in
        guard let base = buffer.baseAddress else { throw .invalidArgument }
        return try body(base)
    }
}
