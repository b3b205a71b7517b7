import CLinux
import Glibc

/// A user to run as.
package struct UserIDs: Sendable, Hashable {
    package let uid: UInt32
    package let gid: UInt32

    package init(uid: UInt32, gid: UInt32) {
        self.uid = uid
        self.gid = gid
    }

    /// `uid`, `uid:gid`, or a name of the user database; a number needs no entry there, and without a gid its group has the same.
    /// - Throws: ENOENT for a name that nobody has, EINVAL for numbers that are none.
    package init(parsing text: String) throws(Errno) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard let first = text.utf8.first, UInt8(ascii: "0")...UInt8(ascii: "9") ~= first else {
            var uid: UInt32 = 0
            var gid: UInt32 = 0
            _ = try systemCall { clx_user_ids(text, &uid, &gid) }
            self.init(uid: uid, gid: gid)
            return
        }
        // 2^32 - 1 means "no change" to setresuid(2).
        guard parts.count <= 2, let uid = UInt32(parts[0]), uid != .max,
            let gid = parts.count == 2 ? UInt32(parts[1]) : uid, gid != .max
        else { throw .invalidArgument }
        self.init(uid: uid, gid: gid)
    }
}

package enum Privileges {
    /// Becomes the user, for good: no supplementary group, no capability in any set, the bounding set included; no program that
    /// is executed can gain one, and no other process of the user can look into this one.
    /// - Throws: EBUSY when the process has more than one thread: most of this is a thread's own and is inherited by later ones.
    package static func drop(to user: UserIDs) throws(Errno) {
        _ = try systemCall { clx_drop_privileges(user.uid, user.gid) }
    }
}

extension Files {
    /// Gives a file, or a link itself, to a user.
    package static func changeOwner(
        _ path: String, in directory: Int32 = atWorkingDirectory, to user: UserIDs
    ) throws(Errno) {
        _ = try systemCall { clx_chown_at(directory, path, user.uid, user.gid) }
    }

    /// The user that a file belongs to, no link followed.
    package static func owner(_ path: String, in directory: Int32 = atWorkingDirectory) throws(Errno) -> UInt32 {
        var uid: UInt32 = 0
        var mode: UInt32 = 0
        _ = try systemCall { clx_owner_at(directory, path, &uid, &mode) }
        return uid
    }

    /// Gives a directory and everything beneath it to a user, following no link.
    package static func changeOwnerOfTree(
        _ path: String, in directory: Int32 = atWorkingDirectory, to user: UserIDs
    ) throws(Errno) {
        var uid: UInt32 = 0
        var mode: UInt32 = 0
        _ = try systemCall { clx_owner_at(directory, path, &uid, &mode) }
        if mode & S_IFMT == S_IFDIR {
            // It may have become a link since: whoever could do that must not choose what root gives away.
            let opened = try Files.open(path, in: directory, flags: O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
            for name in try Files.list(".", in: opened.rawValue) {
                try changeOwnerOfTree(name, in: opened.rawValue, to: user)
            }
        }
        // Last, so that a handover that was interrupted is seen by its directory's owner and done again.
        try changeOwner(path, in: directory, to: user)
    }
}
