import Glibc
import Linux

/// The size of a tree that lies on disk.
struct TreeCounter {
    private(set) var bytes: Int64 = 0
    private(set) var entries = 0

    mutating func count(_ path: String, in parent: Int32 = Files.atWorkingDirectory) throws(Errno) {
        let directory = try Files.open(path, in: parent, flags: O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
        for name in try Files.list(".", in: directory.rawValue) {
            let status = try Files.status(name, in: directory.rawValue)
            entries += 1
            if status.kind == .file { bytes += status.size }
            if status.kind == .directory { try count(name, in: directory.rawValue) }
        }
    }
}
