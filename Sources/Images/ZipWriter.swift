import CArchive
import Glibc
package import Linux

/// Packs a directory as a zip archive, deflated, with its executables' modes and its links: what a client sends as a
/// function's code.
///
/// What the store would refuse is refused here already, by name; nothing is left out in silence. The same content gives
/// the same bytes.
package enum ZipWriter {
    /// - Parameters:
    ///   - path: the directory.
    ///   - output: where the archive is written, from the descriptor's position on.
    /// - Returns: how many files, directories and links were packed.
    @discardableResult
    package static func pack(
        directory path: String, to output: borrowing OwnedFD, limits: TreeLimits = .code
    ) throws(ImageError) -> Int {
        let scan = try DirectoryScan.of(path, limits: limits)
        var packer = try Packer.open(output.rawValue)
        for item in scan.items { try packer.add(item, of: scan) }
        try packer.close()
        return scan.items.count
    }
}

/// What is in a directory, with every name and link checked.
private struct DirectoryScan: ~Copyable {
    struct Item {
        let path: TreePath
        let status: FileStatus
        let target: String?
    }

    let root: OwnedFD
    private(set) var items: [Item] = []
    private var manifest = TreeManifest()

    private init(root: consuming OwnedFD) {
        self.root = root
    }

    static func of(_ path: String, limits: TreeLimits) throws(ImageError) -> DirectoryScan {
        let root = try storing(path) { () throws(Errno) in try Files.openDirectory(path) }
        var scan = DirectoryScan(root: root)
        try scan.scan(.root, limits: limits)
        for item in scan.items {
            guard let target = item.target else { continue }
            if scan.manifest.linkLeaves(at: item.path, target: target) {
                throw TreeBuilder.refuse(item.path, .linkLeaves(target: printable(target.utf8)))
            }
        }
        return scan
    }

    func open(_ path: TreePath, directory: Bool) throws(ImageError) -> OwnedFD {
        let root = root.rawValue
        return try storing(path.forSystemCall) { () throws(Errno) in
            try Files.open(
                path.forSystemCall, in: root, flags: O_RDONLY | O_NONBLOCK | (directory ? O_DIRECTORY : 0),
                resolve: Files.confined)
        }
    }

    private mutating func scan(_ path: TreePath, limits: TreeLimits) throws(ImageError) {
        let directory = try open(path, directory: true)
        let fd = directory.rawValue
        let names = try storing(path.forSystemCall) { () throws(Errno) in try DirectoryWalk.names(in: fd) }
        let prefix = path.isRoot ? [] : Array(path.text.utf8) + [UInt8(ascii: "/")]
        for name in names {
            if items.count >= limits.entries { throw .tooManyEntries(limit: limits.entries) }
            let child: TreePath
            do throws(EntryFault) {
                child = try TreePath(checking: prefix + name, limits: limits, backslashes: false)
            } catch {
                throw .entry(printable(prefix + name), error)
            }
            let status = try storing(child.text) { () throws(Errno) in try Files.status(child.name, in: fd) }
            try add(child, status, in: fd)
            if manifest.bytes > limits.bytes { throw .tooManyBytes(limit: limits.bytes) }
            if status.kind == .directory { try scan(child, limits: limits) }
        }
    }

    private mutating func add(_ path: TreePath, _ status: FileStatus, in directory: Int32) throws(ImageError) {
        var target: String?
        switch status.kind {
        case .directory: manifest.set(.directory(mode: 0o755, named: true), at: path)
        case .file: manifest.set(.file(mode: 0o644, size: status.size, hash: []), at: path)
        case .special(let kind): throw TreeBuilder.refuse(path, .special(kind))
        case .link:
            let bytes = try storing(path.text) { () throws(Errno) in try Files.linkTarget(path.name, in: directory) }
            guard let text = String(validating: bytes, as: UTF8.self) else {
                throw TreeBuilder.refuse(path, .notUnicode)
            }
            manifest.set(.link(target: text), at: path)
            target = text
        }
        items.append(Item(path: path, status: status, target: target))
    }
}

/// libarchive's zip writer.
private struct Packer: ~Copyable {
    private let handle: OpaquePointer
    /// Names outside ASCII are marked as UTF-8 only in a locale that says so.
    private let locale: ThreadLocale

    private init(_ handle: OpaquePointer) {
        self.handle = handle
        locale = ThreadLocale()
    }

    deinit {
        archive_write_free(handle)
    }

    static func open(_ fd: Int32) throws(ImageError) -> Packer {
        guard let handle = archive_write_new() else { throw .system(.noMemory, "writing an archive") }
        let packer = Packer(handle)
        try packer.check(archive_write_set_format_zip(handle))
        try packer.check(archive_write_zip_set_compression_deflate(handle))
        try packer.check(archive_write_set_options(handle, "hdrcharset=UTF-8"))
        // No padding after the end: a zip's end record is sought from the file's end.
        try packer.check(archive_write_set_bytes_in_last_block(handle, 1))
        try packer.check(archive_write_open_fd(handle, fd))
        return packer
    }

    mutating func add(_ item: DirectoryScan.Item, of scan: borrowing DirectoryScan) throws(ImageError) {
        guard let entry = archive_entry_new() else { throw .system(.noMemory, item.path.text) }
        defer { archive_entry_free(entry) }
        archive_entry_set_pathname(entry, item.path.text)
        archive_entry_set_mtime(entry, FileTime.fixed.seconds, 0)
        switch item.status.kind {
        case .directory:
            archive_entry_set_mode(entry, 0o040755)
            try check(archive_write_header(handle, entry))
        case .link:
            archive_entry_set_mode(entry, 0o120777)
            archive_entry_set_symlink(entry, item.target ?? "")
            try check(archive_write_header(handle, entry))
        case .file: try addFile(item, entry, of: scan)
        case .special(let kind): throw TreeBuilder.refuse(item.path, .special(kind))
        }
        try check(archive_write_finish_entry(handle))
    }

    mutating func close() throws(ImageError) {
        try check(archive_write_close(handle))
    }

    private func addFile(
        _ item: DirectoryScan.Item, _ entry: OpaquePointer, of scan: borrowing DirectoryScan
    ) throws(ImageError) {
        let file = try scan.open(item.path, directory: false)
        let status = try storing(item.path.text) { () throws(Errno) in try Files.status(of: file.rawValue) }
        guard status.kind == .file else { throw Self.changed(item.path) }
        archive_entry_set_mode(entry, status.mode & 0o111 != 0 ? 0o100755 : 0o100644)
        archive_entry_set_size(entry, status.size)
        try check(archive_write_header(handle, entry))
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 17, alignment: 16)
        defer { buffer.deallocate() }
        var rest = status.size
        while true {
            let count = try storing(item.path.text) { () throws(Errno) in
                try Message.read(file.rawValue, into: buffer)
            }
            if count == 0 { break }
            rest -= Int64(count)
            // libarchive would drop what is beyond the size it was told.
            guard rest >= 0 else { throw Self.changed(item.path) }
            guard archive_write_data(handle, buffer.baseAddress, count) == count else { throw failure() }
        }
        guard rest == 0 else { throw Self.changed(item.path) }
    }

    private static func changed(_ path: TreePath) -> ImageError {
        TreeBuilder.refuse(path, .damaged("it changed while it was read"))
    }

    private func check(_ status: Int32) throws(ImageError) {
        if status != ARCHIVE_OK { throw failure() }
    }

    private func failure() -> ImageError {
        let text = archive_error_string(handle).map { String(cString: $0) } ?? "unknown error"
        let number = archive_errno(handle)
        // libarchive's own numbers are negative or those of errno.
        return number > 0 ? ImageError(Errno(rawValue: number), "writing the archive: \(text)") : .archive(.zip, text)
    }
}
