import CLinux
import Glibc

/// Unix-domain sockets by path (unix(7)).
package enum UnixSocket {
    /// Who is at the other end, as the kernel saw it at connect time (SO_PEERCRED).
    package struct PeerCredentials: Sendable, Hashable {
        package let pid: Int32
        package let uid: UInt32
        package let gid: UInt32
    }

    /// A listening socket at a path that does not exist yet, with the given permission bits.
    package static func listen(
        path: String, kind: DescriptorPair.SocketKind, backlog: Int32 = 128, mode: UInt32
    ) throws(Errno) -> OwnedFD {
        OwnedFD(owning: try systemCall { clx_unix_listen(path, kind.rawValue, backlog, mode) })
    }

    package static func connect(path: String, kind: DescriptorPair.SocketKind) throws(Errno) -> OwnedFD {
        OwnedFD(owning: try systemCall { clx_unix_connect(path, kind.rawValue) })
    }

    /// The next connection, non-blocking; nil when there is none at the moment.
    package static func accept(_ fd: Int32) throws(Errno) -> OwnedFD? {
        do throws(Errno) {
            return OwnedFD(owning: try systemCall { clx_accept(fd) })
        } catch .wouldBlock {
            return nil
        }
    }

    package static func peerCredentials(_ fd: Int32) throws(Errno) -> PeerCredentials {
        var credentials = clx_ucred()
        _ = try systemCall { clx_peer_credentials(fd, &credentials) }
        return PeerCredentials(pid: credentials.pid, uid: credentials.uid, gid: credentials.gid)
    }
}
