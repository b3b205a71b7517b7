import CLinux
import Glibc

/// Small whole-file operations relative to a directory descriptor (`atWorkingDirectory` for absolute paths).
package enum Files {
    package static let atWorkingDirectory: Int32 = AT_FDCWD

    package static func open(
        _ path: String, in directory: Int32 = atWorkingDirectory, flags: Int32, mode: UInt32 = 0
    ) throws(Errno) -> OwnedFD {
        OwnedFD(owning: try systemCall { clx_openat(directory, path, flags, mode) })
    }

    package static func openDirectory(_ path: String, in directory: Int32 = atWorkingDirectory) throws(Errno)
        -> OwnedFD
    {
        try open(path, in: directory, flags: O_RDONLY | O_DIRECTORY)
    }

    /// How a path may be resolved (openat2(2)).
    package struct Resolve: OptionSet, Sendable {
        package let rawValue: UInt64
        package init(rawValue: UInt64) { self.rawValue = rawValue }
        package static let beneath = Resolve(rawValue: UInt64(CLX_RESOLVE_BENEATH))
        package static let inRoot = Resolve(rawValue: UInt64(CLX_RESOLVE_IN_ROOT))
        package static let noSymlinks = Resolve(rawValue: UInt64(CLX_RESOLVE_NO_SYMLINKS))
        package static let noMagicLinks = Resolve(rawValue: UInt64(CLX_RESOLVE_NO_MAGICLINKS))
        package static let noMountCrossing = Resolve(rawValue: UInt64(CLX_RESOLVE_NO_XDEV))
    }

    package static func open(
        _ path: String, in directory: Int32, flags: Int32, mode: UInt32 = 0, resolve: Resolve
    ) throws(Errno) -> OwnedFD {
        OwnedFD(
            owning: try systemCall {
                clx_openat2(directory, path, UInt64(flags), UInt64(mode), resolve.rawValue)
            })
    }

    package static func makeDirectory(
        _ path: String, in directory: Int32 = atWorkingDirectory, mode: UInt32 = 0o755
    ) throws(Errno) {
        _ = try systemCall { mkdirat(directory, path, mode) }
    }

    /// mkdir -p: what exists already is fine.
    package static func makeDirectories(_ path: String, mode: UInt32 = 0o755) throws(Errno) {
        var end = path.startIndex
        while end < path.endIndex {
            end = path[path.index(after: end)...].firstIndex(of: "/") ?? path.endIndex
            do throws(Errno) {
                try makeDirectory(String(path[..<end]), mode: mode)
            } catch .exists {
                continue
            }
        }
    }

    package static func exists(_ path: String, in directory: Int32 = atWorkingDirectory) -> Bool {
        faccessat(directory, path, F_OK, 0) == 0
    }

    package static func unlink(
        _ path: String, in directory: Int32 = atWorkingDirectory, isDirectory: Bool = false
    ) throws(Errno) {
        _ = try systemCall { unlinkat(directory, path, isDirectory ? AT_REMOVEDIR : 0) }
    }

    package static func rename(
        _ from: String, in fromDirectory: Int32 = atWorkingDirectory, to: String,
        in toDirectory: Int32 = atWorkingDirectory
    ) throws(Errno) {
        _ = try systemCall { renameat(fromDirectory, from, toDirectory, to) }
    }

    /// The whole file, at most `limit` bytes (more is `EFBIG`).
    package static func read(
        _ path: String, in directory: Int32 = atWorkingDirectory, limit: Int = 1 << 20
    ) throws(Errno) -> [UInt8] {
        try readAll(try open(path, in: directory, flags: O_RDONLY), limit: limit)
    }

    /// Everything from the descriptor's position to its end, at most `limit` bytes.
    package static func readAll(_ fd: borrowing OwnedFD, limit: Int) throws(Errno) -> [UInt8] {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16384)
        while true {
            let raw = fd.rawValue
            let count = try systemCall {
                chunk.withUnsafeMutableBytes { Glibc.read(raw, $0.baseAddress, $0.count) }
            }
            if count == 0 { return bytes }
            if bytes.count + count > limit { throw .fileTooLarge }
            bytes.append(contentsOf: chunk[..<count])
        }
    }

    package static func readText(
        _ path: String, in directory: Int32 = atWorkingDirectory, limit: Int = 1 << 20
    ) throws(Errno) -> String {
        String(decoding: try read(path, in: directory, limit: limit), as: UTF8.self)
    }

    /// One write(2) to an existing file: what the kernel's pseudo files want.
    package static func writeControl(_ text: String, to path: String, in directory: Int32 = atWorkingDirectory)
        throws(Errno)
    {
        let fd = try open(path, in: directory, flags: O_WRONLY)
        let raw = fd.rawValue
        var copy = text
        _ = try systemCall { copy.withUTF8 { Glibc.write(raw, $0.baseAddress, $0.count) } }
    }

    /// Creates or replaces a file.
    package static func write(
        _ bytes: [UInt8], to path: String, in directory: Int32 = atWorkingDirectory, mode: UInt32 = 0o644
    ) throws(Errno) {
        let fd = try open(path, in: directory, flags: O_WRONLY | O_CREAT | O_TRUNC, mode: mode)
        try Message.writeAll(fd.rawValue, bytes)
    }

    /// The names in a directory, without `.` and `..`, sorted.
    package static func list(_ path: String, in directory: Int32 = atWorkingDirectory) throws(Errno) -> [String] {
        let fd = try openDirectory(path, in: directory)
        let raw = try fd.duplicate().release()
        guard let stream = fdopendir(raw) else {
            let error = Errno.current
            _ = close(raw)
            throw error
        }
        defer { _ = closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            // d_name is a C array, imported as a tuple: its address is the string's.
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                String(cString: UnsafeRawPointer($0).assumingMemoryBound(to: CChar.self))
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    /// rm -r beneath a directory, never following a link and never leaving the file system; what is gone is fine.
    package static func removeTree(_ path: String, in directory: Int32 = atWorkingDirectory) throws(Errno) {
        do throws(Errno) {
            try unlink(path, in: directory)
            return
        } catch .noEntry {
            return
        } catch {
            // A directory answers EISDIR, or EPERM as POSIX has it; any other error repeats itself below.
        }
        do throws(Errno) {
            let fd = try open(path, in: directory, flags: O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
            for name in try list(".", in: fd.rawValue) { try removeTree(name, in: fd.rawValue) }
            try unlink(path, in: directory, isDirectory: true)
        } catch .noEntry {
            return
        }
    }
}
