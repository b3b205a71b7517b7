import CArchive
import Glibc
import Linux

/// One pass over an archive through libarchive, with one format and at most one filter switched on.
struct ArchiveReader: ~Copyable {
    enum Kind {
        case file, directory
        case link(target: [UInt8])
        case hardLink(target: [UInt8])
        case special(String)
    }

    struct Entry {
        let name: [UInt8]
        let kind: Kind
        let mode: UInt32
        /// As the archive says; what comes may differ, which is an error.
        let size: Int64?
        let modified: FileTime
        let isEncrypted: Bool
    }

    private let format: ArchiveFormat
    /// libarchive's handle; freed in deinit.
    private let handle: OpaquePointer
    /// Names are UTF-8 for libarchive only in a locale that says so; the process's own is left alone.
    private let locale: ThreadLocale

    private init(_ handle: OpaquePointer, format: ArchiveFormat) {
        self.handle = handle
        self.format = format
        locale = ThreadLocale()
    }

    /// - Parameter fd: a regular file, read from its start; it stays the caller's.
    static func open(_ fd: Int32, format: ArchiveFormat) throws(ImageError) -> ArchiveReader {
        guard let handle = archive_read_new() else { throw .system(.noMemory, "reading an archive") }
        let reader = ArchiveReader(handle, format: format)
        guard reader.enable() == ARCHIVE_OK else {
            throw .archive(format, "this libarchive does not know it: \(reader.message)")
        }
        try storing("reading the archive, which has to be a regular file") { () throws(Errno) in
            guard try Files.status(of: fd).kind == .file else { throw .invalidArgument }
            try Files.seek(fd, to: 0)
        }
        guard archive_read_open_fd(handle, fd, 1 << 16) == ARCHIVE_OK else { throw .archive(format, reader.message) }
        return reader
    }

    private func enable() -> Int32 {
        switch format {
        case .zip:
            // The central directory is what counts, as for every other unzip: no guessing from the stream.
            return archive_read_support_format_zip_seekable(handle)
        case .tar: return archive_read_support_format_tar(handle)
        case .tarGzip: return min(archive_read_support_format_tar(handle), archive_read_support_filter_gzip(handle))
        case .tarZstd: return min(archive_read_support_format_tar(handle), archive_read_support_filter_zstd(handle))
        }
    }

    deinit {
        archive_read_free(handle)
    }

    /// The next entry; nil at the archive's proper end.
    func next() throws(ImageError) -> Entry? {
        var raw: OpaquePointer?
        while true {
            let status = archive_read_next_header(handle, &raw)
            switch status {
            case ARCHIVE_OK: break
            case ARCHIVE_RETRY: continue
            case ARCHIVE_EOF:
                try checkEnd()
                return nil
            default:
                // A warning is about a name or an attribute that could not be taken over: not to be guessed.
                if status == ARCHIVE_WARN, let raw, let name = archive_entry_pathname(raw) {
                    throw .entry(printable(Self.bytes(name)), .damaged(message))
                }
                throw .archive(format, message)
            }
            guard let raw else { throw .archive(format, "an entry is missing") }
            return try entry(raw)
        }
    }

    /// The data of the entry that `next` returned, block by block with its offset; holes are left out.
    func readData(
        of name: String, _ body: (UnsafeRawBufferPointer, _ offset: Int64) throws(ImageError) -> Void
    ) throws(ImageError) {
        while true {
            var block: UnsafeRawPointer?
            var size = 0
            var offset: Int64 = 0
            switch archive_read_data_block(handle, &block, &size, &offset) {
            case ARCHIVE_OK: try body(UnsafeRawBufferPointer(start: block, count: size), offset)
            case ARCHIVE_EOF: return
            case ARCHIVE_RETRY: continue
            default: throw .entry(name, .damaged(message))
            }
        }
    }

    // MARK: Parts

    private func entry(_ raw: OpaquePointer) throws(ImageError) -> Entry {
        guard let name = archive_entry_pathname(raw) else { throw .entry("", .emptyName) }
        let path = Self.bytes(name)
        let kind: Kind
        if let target = archive_entry_hardlink(raw) {
            kind = .hardLink(target: Self.bytes(target))
        } else {
            // AE_IFREG and its siblings have the values of S_IFREG and so on.
            switch FileStatus.kind(UInt32(archive_entry_filetype(raw))) {
            case .file: kind = .file
            case .directory: kind = .directory
            case .link: kind = .link(target: archive_entry_symlink(raw).map { Self.bytes($0) } ?? [])
            case .special(let what): kind = .special(what)
            }
        }
        return Entry(
            name: path, kind: kind, mode: UInt32(archive_entry_perm(raw)),
            size: archive_entry_size_is_set(raw) != 0 ? archive_entry_size(raw) : nil,
            modified: FileTime(
                seconds: archive_entry_mtime(raw), nanoseconds: Int(archive_entry_mtime_nsec(raw))),
            isEncrypted: archive_entry_is_encrypted(raw) != 0)
    }

    /// A tar archive ends with a block of zeros. libarchive also takes the end of the file for the end of the archive,
    /// so one that was cut between two entries would pass for a smaller one.
    private func checkEnd() throws(ImageError) {
        if format == .zip { return }
        if archive_filter_bytes(handle, 0) < archive_read_header_position(handle) + 512 {
            throw .archive(format, "it ends without the end mark, so it was cut short")
        }
    }

    private var message: String {
        archive_error_string(handle).map { printable(Self.bytes($0)) } ?? "unknown error"
    }

    private static func bytes(_ text: UnsafePointer<CChar>) -> [UInt8] {
        Array(UnsafeRawBufferPointer(start: text, count: strlen(text)))
    }
}

/// Makes the calling thread's character set UTF-8 (uselocale(3)) and puts back what was there.
final class ThreadLocale {
    private let utf8: locale_t?
    private let previous: locale_t?

    init() {
        // Built into glibc since 2.35; without it names outside ASCII are refused, and nothing worse.
        utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", nil)
        previous = utf8.map { uselocale($0) } ?? nil
    }

    deinit {
        if let utf8 {
            uselocale(previous)
            freelocale(utf8)
        }
    }
}
