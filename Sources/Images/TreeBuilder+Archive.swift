import Linux

extension TreeBuilder {
    /// Unpacks a whole archive.
    mutating func add(archive fd: Int32, format: ArchiveFormat) throws(ImageError) {
        // libarchive does not recognise a zip archive without entries.
        if format == .zip, try ZipDirectory(checking: fd).count == 0 { return }
        let reader = try ArchiveReader.open(fd, format: format)
        // Hard links of a tar archive refer backwards, so one pass does.
        var records = 0
        while let entry = try reader.next() {
            // A directory may come twice, but a million repetitions compress to nothing and keep a thread busy.
            records += 1
            if records > 2 * policy.limits.entries { throw .tooManyEntries(limit: policy.limits.entries) }
            let path = try path(entry.name)
            switch entry.kind {
            case .directory: try addDirectory(path, mode: entry.mode, modified: entry.modified)
            case .link(let target): try addLink(path, target: target, modified: entry.modified)
            case .hardLink(let target):
                guard let inner = try? self.path(target) else {
                    throw Self.refuse(path, .hardLink(target: printable(target)))
                }
                try addHardLink(path, to: inner)
            case .special(let kind): try addSpecial(path, kind: kind)
            case .file:
                if entry.isEncrypted { throw Self.refuse(path, .encrypted) }
                try addFile(path, mode: entry.mode, size: entry.size ?? 0, modified: entry.modified) {
                    (sink) throws(ImageError) in
                    try Self.copy(entry, of: reader, to: &sink, path: path)
                }
            }
        }
    }

    private static func copy(
        _ entry: ArchiveReader.Entry, of reader: borrowing ArchiveReader, to sink: inout FileSink, path: TreePath
    ) throws(ImageError) {
        try reader.readData(of: printable(path.text.utf8)) { (block, offset) throws(ImageError) in
            // Blocks come in order; one that goes back would overwrite what has been hashed.
            if offset < sink.position { throw refuse(path, .damaged("its parts overlap")) }
            if offset > sink.position { try sink.skip(to: offset) }
            try sink.write(block)
        }
        if let size = entry.size, size != sink.position {
            throw refuse(path, .damaged("\(sink.position) bytes where the archive says \(size)"))
        }
    }
}
