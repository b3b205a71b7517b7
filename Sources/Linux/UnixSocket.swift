import CLinux
import Glibc

/// Unix-domain sockets by path (unix(7)).
package enum UnixSocket {
    /// Who is at the other end, as the kernel saw it at connect time (SO_PEERCRED, SO_PEERGROUPS).
    package struct PeerCredentials: Sendable, Hashable {
        package let pid: Int32
        package let uid: UInt32
        package let gid: UInt32
        /// Supplementary groups; none where the kernel does not tell.
        package let groups: [UInt32]

        package init(pid: Int32, uid: UInt32, gid: UInt32, groups: [UInt32] = []) {
            self.pid = pid
            self.uid = uid
            self.gid = gid
            self.groups = groups
        }
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
        return PeerCredentials(
            pid: credentials.pid, uid: credentials.uid, gid: credentials.gid, groups: peerGroups(fd))
    }

    /// The kernel's own limit is 65,536 groups (NGROUPS_MAX); hardly anybody has more than a few.
    private static func peerGroups(_ fd: Int32) -> [UInt32] {
        for capacity in [64, 65536] {
            var groups = [UInt32](repeating: 0, count: capacity)
            do throws(Errno) {
                let count = try systemCall { clx_peer_groups(fd, &groups, Int32(capacity)) }
                return Array(groups.prefix(Int(count)))
            } catch {
                // ERANGE: there are more.
                guard error.rawValue == ERANGE else { return [] }
            }
        }
        return []
    }
}
