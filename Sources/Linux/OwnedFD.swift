import CLinux
import Glibc

/// Owns a file descriptor and closes it exactly once.
package struct OwnedFD: ~Copyable, Sendable {
    package let rawValue: Int32

    /// Takes over a descriptor that nobody else closes.
    package init(owning rawValue: Int32) {
        self.rawValue = rawValue
    }

    deinit {
        // The result does not matter: the descriptor is gone on every path of Linux's close(2).
        _ = close(rawValue)
    }

    /// Gives the descriptor away; the receiver closes it.
    package consuming func release() -> Int32 {
        let fd = rawValue
        discard self
        return fd
    }

    /// Another descriptor of the same open file (F_DUPFD_CLOEXEC).
    package borrowing func duplicate() throws(Errno) -> OwnedFD {
        let fd = rawValue
        return OwnedFD(owning: try systemCall { clx_dup_cloexec(fd, 3) })
    }

    package borrowing func setNonblocking(_ on: Bool) throws(Errno) {
        let fd = rawValue
        _ = try systemCall { clx_set_nonblocking(fd, on) }
    }
}

/// A descriptor with several holders, closed when the last one lets go: what travels through queues and closures.
package final class SharedFD: Sendable {
    private let owned: OwnedFD

    package init(_ fd: consuming OwnedFD) {
        owned = fd
    }

    package convenience init(owning rawValue: Int32) {
        self.init(OwnedFD(owning: rawValue))
    }

    package var rawValue: Int32 { owned.rawValue }

    package func duplicate() throws(Errno) -> OwnedFD { try owned.duplicate() }
    package func setNonblocking(_ on: Bool) throws(Errno) { try owned.setNonblocking(on) }
}
