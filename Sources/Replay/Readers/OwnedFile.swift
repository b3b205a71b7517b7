import Glibc

/// An open file that is closed when its owner goes away.
struct OwnedFile: ~Copyable {
    let path: String
    let size: Int
    private let descriptor: Int32

    /// Opens `path` for reading, close-on-exec.
    init(reading path: String) throws(ReplayError) {
        var opened: Int32
        repeat { opened = open(path, O_RDONLY | O_CLOEXEC) } while opened < 0 && errno == EINTR
        guard opened >= 0 else { throw .unreadable(path: path, reason: Self.message(errno)) }
        var status = stat()
        guard fstat(opened, &status) == 0 else {
            let reason = Self.message(errno)
            close(opened)
            throw .unreadable(path: path, reason: reason)
        }
        guard status.st_mode & S_IFMT != S_IFDIR else {
            close(opened)
            throw .unreadable(path: path, reason: "it is a directory; name the trace files in it")
        }
        self.path = path
        size = Int(status.st_size)
        descriptor = opened
    }

    deinit { close(descriptor) }

    /// Fills `buffer` from the file's current position. Returns the bytes read, 0 at the end.
    borrowing func read(into buffer: inout [UInt8]) throws(ReplayError) -> Int {
        let count = buffer.count
        while true {
            // read(2) writes into the array's own storage; the pointer does not leave the closure.
            let got = buffer.withUnsafeMutableBytes { Glibc.read(descriptor, $0.baseAddress, count) }
            if got >= 0 { return got }
            guard errno == EINTR else { throw .unreadable(path: path, reason: Self.message(errno)) }
        }
    }

    static func message(_ code: Int32) -> String { String(cString: strerror(code)) }
}
