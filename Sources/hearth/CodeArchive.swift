import Glibc
import Images
import Linux
import Wire

/// Code on its way to the agent: an archive as it is, or a directory packed into a file without a name.
struct CodeArchive {
    /// Its owner must outlive every use of the number.
    let file: SharedFD
    let format: HearthCodeFormat
    let size: UInt64

    var descriptor: Int32 { file.rawValue }

    init(path: String) throws {
        var status = stat()
        guard stat(path, &status) == 0 else {
            throw Failure("\(path): \(Errno.current)", remedy: "give a directory, a zip or a tar archive")
        }
        if status.st_mode & S_IFMT == S_IFDIR {
            let packed = try MemoryFile.empty(name: "code")
            do throws(ImageError) {
                try ZipWriter.pack(directory: path, to: packed)
            } catch {
                throw Failure("\(path): \(error)")
            }
            self = try CodeArchive(SharedFD(packed), format: .zip)
        } else {
            let opened = try Payload.open(path)
            var magic = [UInt8](repeating: 0, count: 4)
            let count = pread(opened.rawValue, &magic, 4, 0)
            self = try CodeArchive(opened, format: count >= 2 && magic[0] == 0x50 && magic[1] == 0x4b ? .zip : .tar)
        }
    }

    private init(_ file: SharedFD, format: HearthCodeFormat) throws {
        let fd = file.rawValue
        let end = try systemCall { Int(lseek(fd, 0, SEEK_END)) }
        _ = try systemCall { Int(lseek(fd, 0, SEEK_SET)) }
        self.file = file
        self.format = format
        size = UInt64(end)
    }
}
