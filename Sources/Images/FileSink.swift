import Glibc
import Linux

/// One file being written: counts, hashes, and stops at the limit.
struct FileSink: ~Copyable {
    private let fd: OwnedFD
    private let path: String
    private let room: Int64
    private let limit: Int64
    private var hash = SHA256()
    private(set) var position: Int64 = 0

    private static let zeros = [UInt8](repeating: 0, count: 65536)

    /// - Parameters:
    ///   - room: how many bytes the tree may still take.
    ///   - limit: the tree's limit, for the message.
    init(_ fd: consuming OwnedFD, path: String, room: Int64, limit: Int64) {
        self.fd = fd
        self.path = path
        self.room = room
        self.limit = limit
    }

    mutating func write(_ bytes: UnsafeRawBufferPointer) throws(ImageError) {
        if Int64(bytes.count) > room - position { throw .tooManyBytes(limit: limit) }
        let raw = fd.rawValue
        try storing(path) { () throws(Errno) in try Message.writeAll(raw, bytes) }
        hash.update(bytes)
        position += Int64(bytes.count)
    }

    /// A hole up to `offset`, as sparse files in a tar archive have; it reads as zeros, and counts like them.
    mutating func skip(to offset: Int64) throws(ImageError) {
        if offset > room { throw .tooManyBytes(limit: limit) }
        var rest = offset - position
        while rest > 0 {
            let count = Int(min(rest, Int64(Self.zeros.count)))
            Self.zeros.withUnsafeBytes { hash.update(UnsafeRawBufferPointer(rebasing: $0[..<count])) }
            rest -= Int64(count)
        }
        position = offset
        let raw = fd.rawValue
        try storing(path) { () throws(Errno) in
            _ = try systemCall { ftruncate(raw, Int(offset)) }
            try Files.seek(raw, to: offset)
        }
    }

    /// All of another file, by sharing its blocks where the file system can.
    mutating func copy(_ source: borrowing OwnedFD) throws(ImageError) {
        let raw = fd.rawValue
        let from = source.rawValue
        let cloned = Files.reflink(from: from, to: raw)
        // The clone is hashed, not the source, which may change under us.
        let reader = try storing(path) { () throws(Errno) in
            cloned ? try Files.open("/proc/self/fd/\(raw)", flags: O_RDONLY) : try source.duplicate()
        }
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 16)
        defer { buffer.deallocate() }
        while true {
            let count = try storing(path) { () throws(Errno) in try Message.read(reader.rawValue, into: buffer) }
            if count == 0 { return }
            let bytes = UnsafeRawBufferPointer(rebasing: buffer[..<count])
            if cloned {
                if Int64(count) > room - position { throw .tooManyBytes(limit: limit) }
                hash.update(bytes)
                position += Int64(count)
            } else {
                try write(bytes)
            }
        }
    }

    /// Sets the final mode and times.
    /// - Returns: the size, and the SHA-256 of the content.
    mutating func finish(mode: UInt32, modified: FileTime) throws(ImageError) -> (size: Int64, hash: [UInt8]) {
        let raw = fd.rawValue
        try storing(path) { () throws(Errno) in
            try Files.setMode(mode, of: raw)
            try Files.setTimes(modified, of: raw)
        }
        return (position, hash.finish())
    }
}
