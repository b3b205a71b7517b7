/// How much a tree may hold.
package struct TreeLimits: Sendable, Hashable {
    /// All regular files together, unpacked.
    package var bytes: Int64
    /// Files, directories and links together.
    package var entries: Int
    /// Path components.
    package var depth: Int
    /// One component; 255 is the kernel's limit (NAME_MAX).
    package var nameBytes: Int
    /// A whole path inside the tree. PATH_MAX is 4,096 with the mount point in front.
    package var pathBytes: Int

    package init(bytes: Int64, entries: Int, depth: Int = 64, nameBytes: Int = 255, pathBytes: Int = 2048) {
        self.bytes = bytes
        self.entries = entries
        self.depth = depth
        self.nameBytes = nameBytes
        self.pathBytes = pathBytes
    }

    /// A function's code: twice what the largest public platform takes unpacked.
    package static let code = TreeLimits(bytes: 512 << 20, entries: 100_000)
    /// A root file system.
    package static let image = TreeLimits(bytes: 64 << 30, entries: 2_000_000)
}

/// What a tree is for decides what its entries may be.
struct TreePolicy: Sendable {
    var limits: TreeLimits
    /// Modes become 0755 or 0644; else the permission bits are kept, without setuid, setgid and sticky.
    var normalisesModes: Bool
    /// Every symbolic link must stay inside the tree; else targets are free, since they are only resolved in a sandbox.
    var confinesLinks: Bool
    /// Devices, sockets and pipes are skipped and counted; else refused.
    var skipsSpecialFiles: Bool
    /// Unit files of systemd have backslashes in their names; in code they come from another system's separator.
    var allowsBackslashes: Bool
    /// Files keep their modification times, which are no part of a digest: Python compares them with its cache.
    var keepsTimes: Bool

    static func code(_ limits: TreeLimits) -> TreePolicy {
        TreePolicy(
            limits: limits, normalisesModes: true, confinesLinks: true, skipsSpecialFiles: false,
            allowsBackslashes: false, keepsTimes: false)
    }

    static func image(_ limits: TreeLimits) -> TreePolicy {
        TreePolicy(
            limits: limits, normalisesModes: false, confinesLinks: false, skipsSpecialFiles: true,
            allowsBackslashes: true, keepsTimes: true)
    }

    /// The owner is never mapped into a sandbox, so what counts there are the bits for others. The owner's own are
    /// kept wide enough for an agent without privilege to read and remove the tree.
    func fileMode(_ mode: UInt32) -> UInt32 {
        if normalisesModes { return mode & 0o111 != 0 ? 0o755 : 0o644 }
        return mode & 0o777 | 0o400
    }

    func directoryMode(_ mode: UInt32) -> UInt32 {
        normalisesModes ? 0o755 : mode & 0o777 | 0o700
    }
}
