import Glibc
import Linux
import Synchronization

/// An archive on its way in: chunks are appended as they arrive, then a worker thread unpacks it.
///
/// The file has no name, so whatever becomes of the upload or of the process, nothing is left. Appending is a write to
/// the page cache, short enough for an event loop; `finish` is not.
package final class CodeUpload: Sendable {
    private let store: CodeStore
    private let file: OwnedFD
    private let limit: Int64
    private let received = Mutex<Int64>(0)

    /// - Parameter limit: the largest archive, in bytes.
    package init(into store: CodeStore, limit: Int64) throws(ImageError) {
        self.store = store
        self.limit = limit
        let staging = try Staging(store: store.root)
        file = try storing(store.root) { () throws(Errno) in
            try Files.temporaryFile(in: staging.directory.rawValue, fallbackName: "upload")
        }
    }

    /// How many bytes have come.
    package var count: Int64 { received.withLock { $0 } }

    /// Adds the next bytes. After an error the upload is of no more use.
    package func append(_ bytes: UnsafeRawBufferPointer) throws(ImageError) {
        try received.withLock { (count) throws(ImageError) in
            if Int64(bytes.count) > limit - count { throw .uploadTooLarge(limit: limit) }
            try storing(store.root) { () throws(Errno) in try Message.writeAll(file.rawValue, bytes) }
            count += Int64(bytes.count)
        }
    }

    package func append(_ bytes: [UInt8]) throws(ImageError) {
        try bytes.withUnsafeBufferPointer { (buffer) throws(ImageError) in try append(UnsafeRawBufferPointer(buffer)) }
    }

    /// What the first bytes say the archive is; nil for anything unknown.
    package func detectedFormat() throws(ImageError) -> ArchiveFormat? {
        var start = [UInt8](repeating: 0, count: 512)
        let count = try storing("reading the upload") { () throws(Errno) in
            try systemCall { start.withUnsafeMutableBytes { pread(file.rawValue, $0.baseAddress, $0.count, 0) } }
        }
        return ArchiveFormat(magic: Array(start[..<count]))
    }

    /// Unpacks what has come. Blocks: call it from a worker thread.
    package func finish(format: ArchiveFormat) throws(ImageError) -> CodeTree {
        try store.importArchive(file.rawValue, format: format)
    }
}
