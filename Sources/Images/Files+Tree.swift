import CArchive
import Glibc
import Linux

/// What a file is, as the stores see it (inode(7)).
struct FileStatus: Sendable {
    enum Kind: Sendable, Hashable {
        case file, directory, link
        case special(String)
    }

    /// Which file it is, whatever its name.
    struct Identity: Hashable, Sendable {
        let device: UInt64
        let inode: UInt64
    }

    let kind: Kind
    /// Permission bits, setuid, setgid and sticky.
    let mode: UInt32
    let size: Int64
    let links: UInt64
    let identity: Identity
    let modified: FileTime
    let changed: FileTime

    init(_ raw: stat) {
        kind = Self.kind(UInt32(raw.st_mode))
        mode = UInt32(raw.st_mode) & 0o7777
        size = Int64(raw.st_size)
        links = UInt64(raw.st_nlink)
        identity = Identity(device: UInt64(raw.st_dev), inode: UInt64(raw.st_ino))
        modified = FileTime(seconds: raw.st_mtim.tv_sec, nanoseconds: raw.st_mtim.tv_nsec)
        changed = FileTime(seconds: raw.st_ctim.tv_sec, nanoseconds: raw.st_ctim.tv_nsec)
    }

    /// The type bits of inode(7), whose numbers archives use as well.
    static func kind(_ mode: UInt32) -> Kind {
        switch mode & 0o170000 {
        case 0o100000: .file
        case 0o040000: .directory
        case 0o120000: .link
        case 0o020000, 0o060000: .special("device")
        case 0o010000: .special("named pipe")
        case 0o140000: .special("socket")
        default: .special("file of unknown type")
        }
    }
}

/// What the stores need of the file system beyond the Linux module's `Files`.
extension Files {
    static let pathOnly = Int32(HEARTH_O_PATH)

    /// No link is followed and nothing above the directory is reached (openat2(2)).
    static let confined: Resolve = [.beneath, .noSymlinks, .noMagicLinks]

    static func status(of fd: Int32) throws(Errno) -> FileStatus {
        var raw = stat()
        _ = try systemCall { fstat(fd, &raw) }
        return FileStatus(raw)
    }

    /// Does not follow a link in the last component.
    static func status(_ path: String, in directory: Int32 = atWorkingDirectory) throws(Errno) -> FileStatus {
        var raw = stat()
        _ = try systemCall { fstatat(directory, path, &raw, AT_SYMLINK_NOFOLLOW) }
        return FileStatus(raw)
    }

    static func linkTarget(_ path: String, in directory: Int32 = atWorkingDirectory) throws(Errno) -> [UInt8] {
        var buffer = [UInt8](repeating: 0, count: Int(PATH_MAX))
        let count = try systemCall {
            buffer.withUnsafeMutableBytes { bytes in
                bytes.bindMemory(to: CChar.self).baseAddress.map { readlinkat(directory, path, $0, bytes.count) } ?? -1
            }
        }
        return Array(buffer[..<count])
    }

    static func makeLink(_ path: String, in directory: Int32, target: String) throws(Errno) {
        _ = try systemCall { symlinkat(target, directory, path) }
    }

    static func makeHardLink(
        from source: String, in sourceDirectory: Int32, to path: String, in directory: Int32
    ) throws(Errno) {
        _ = try systemCall { linkat(sourceDirectory, source, directory, path, 0) }
    }

    static func setMode(_ mode: UInt32, of fd: Int32) throws(Errno) {
        _ = try systemCall { fchmod(fd, mode) }
    }

    static func setTimes(_ time: FileTime, of fd: Int32) throws(Errno) {
        let times = [timespec(time), timespec(time)]
        _ = try systemCall { futimens(fd, times) }
    }

    static func setTimes(_ time: FileTime, ofLink path: String, in directory: Int32) throws(Errno) {
        let times = [timespec(time), timespec(time)]
        _ = try systemCall { utimensat(directory, path, times, AT_SYMLINK_NOFOLLOW) }
    }

    /// Fails with `exists` where something has the name already (RENAME_NOREPLACE).
    static func renameNew(
        _ from: String, in fromDirectory: Int32, to path: String, in directory: Int32
    ) throws(Errno) {
        do throws(Errno) {
            _ = try systemCall { hearth_rename_new(fromDirectory, from, directory, path) }
        } catch .invalidArgument {
            // NFS and 9p do not know the flag. The stores hold a lock around this, so looking first is enough there.
            if exists(path, in: directory) { throw .exists }
            try rename(from, in: fromDirectory, to: path, in: directory)
        }
    }

    /// Makes the names in a directory durable.
    static func synchronizeDirectory(_ path: String) throws(Errno) {
        let directory = try openDirectory(path)
        try synchronize(directory.rawValue)
    }

    static func synchronize(_ fd: Int32) throws(Errno) {
        _ = try systemCall { fsync(fd) }
    }

    /// Everything of the file system that `fd` is on.
    static func synchronizeFileSystem(of fd: Int32) throws(Errno) {
        _ = try systemCall { hearth_syncfs(fd) }
    }

    /// Shares the source's blocks where the file system can (Btrfs, XFS); false where it cannot.
    static func reflink(from source: Int32, to destination: Int32) -> Bool {
        hearth_clone_file(destination, source) == 0
    }

    static func seek(_ fd: Int32, to offset: Int64) throws(Errno) {
        _ = try systemCall { Int(lseek(fd, Int(offset), SEEK_SET)) }
    }

    /// A file without a name, gone with its last descriptor. File systems without O_TMPFILE get one that is unlinked.
    static func temporaryFile(in directory: Int32, fallbackName: String) throws(Errno) -> OwnedFD {
        do throws(Errno) {
            return try open(".", in: directory, flags: Int32(HEARTH_O_TMPFILE) | O_RDWR, mode: 0o600)
        } catch .notSupported {
            let fd = try open(fallbackName, in: directory, flags: O_RDWR | O_CREAT | O_EXCL, mode: 0o600)
            try unlink(fallbackName, in: directory)
            return fd
        }
    }
}

extension timespec {
    fileprivate init(_ time: FileTime) {
        self.init(tv_sec: time.seconds, tv_nsec: time.nanoseconds)
    }
}

/// Runs a file operation and says what it was when it fails; a full disk gets its own error.
func storing<Result: ~Copyable>(
    _ what: @autoclosure () -> String, _ body: () throws(Errno) -> Result
) throws(ImageError) -> Result {
    do throws(Errno) {
        return try body()
    } catch {
        throw ImageError(error, what())
    }
}

extension ImageError {
    init(_ error: Errno, _ what: String) {
        self = error == .noSpace || error == .overQuota ? .storageFull(what) : .system(error, what)
    }
}
