import Glibc
import Linux

extension TreeBuilder {
    /// Copies a directory, entry by entry, following no link and staying on its file system.
    ///
    /// - Parameter avoiding: the store's own directory; meeting it would copy the copy, for ever.
    mutating func add(
        directory source: String, avoiding store: FileStatus.Identity?
    ) throws(ImageError) {
        let fd = try storing(source) { () throws(Errno) in try Files.openDirectory(source) }
        let status = try storing(source) { () throws(Errno) in try Files.status(of: fd.rawValue) }
        var walk = DirectoryWalk(device: status.identity.device, store: store)
        try add(contentsOf: fd, path: .root, walk: &walk)
    }

    private mutating func add(
        contentsOf directory: borrowing OwnedFD, path: TreePath, walk: inout DirectoryWalk
    ) throws(ImageError) {
        let fd = directory.rawValue
        let names = try storing(path.forSystemCall) { () throws(Errno) in try DirectoryWalk.names(in: fd) }
        for name in names {
            let prefix = path.isRoot ? [] : Array(path.text.utf8) + [UInt8(ascii: "/")]
            let child = try self.path(prefix + name)
            let status = try storing(child.text) { () throws(Errno) in try Files.status(child.name, in: fd) }
            if status.identity == walk.store { throw Self.refuse(child, .mountedStore) }
            switch status.kind {
            case .directory: try add(directory: child, in: fd, status: status, walk: &walk)
            case .file: try add(file: child, in: fd, status: status, walk: &walk)
            case .link:
                let target = try storing(child.text) { () throws(Errno) in try Files.linkTarget(child.name, in: fd) }
                try addLink(child, target: target, modified: status.modified)
            case .special(let kind): try addSpecial(child, kind: kind)
            }
        }
    }

    private mutating func add(
        directory path: TreePath, in parent: Int32, status: FileStatus, walk: inout DirectoryWalk
    ) throws(ImageError) {
        try addDirectory(path, mode: status.mode, modified: status.modified)
        // A mount point stays as an empty directory: /proc of a live root is no part of it.
        if status.identity.device != walk.device { return }
        let fd = try storing(path.text) { () throws(Errno) in
            try Files.open(path.name, in: parent, flags: O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
        }
        try add(contentsOf: fd, path: path, walk: &walk)
    }

    private mutating func add(
        file path: TreePath, in parent: Int32, status: FileStatus, walk: inout DirectoryWalk
    ) throws(ImageError) {
        if status.links > 1, let first = walk.hardLinks[status.identity] {
            return try addHardLink(path, to: first)
        }
        let source = try storing(path.text) { () throws(Errno) in
            // O_NONBLOCK: what was a file a moment ago may be a pipe now, and must not stop us.
            try Files.open(path.name, in: parent, flags: O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
        }
        let opened = try storing(path.text) { () throws(Errno) in try Files.status(of: source.rawValue) }
        guard opened.kind == .file else { throw Self.refuse(path, .special("file that changes while it is read")) }
        try addFile(path, mode: opened.mode, size: opened.size, modified: opened.modified) {
            (sink) throws(ImageError) in try sink.copy(source)
        }
        if opened.links > 1 { walk.hardLinks[opened.identity] = path }
    }
}

/// What a walk through a directory must remember.
struct DirectoryWalk {
    let device: UInt64
    let store: FileStatus.Identity?
    var hardLinks: [FileStatus.Identity: TreePath] = [:]

    init(device: UInt64, store: FileStatus.Identity?) {
        self.device = device
        self.store = store
    }

    /// The names in a directory as bytes, sorted: a `String` would repair names that are not UTF-8.
    static func names(in directory: Int32) throws(Errno) -> [[UInt8]] {
        let raw = try Files.openDirectory(".", in: directory).release()
        guard let stream = fdopendir(raw) else {
            let error = Errno.current
            _ = close(raw)
            throw error
        }
        defer { _ = closedir(stream) }
        var names: [[UInt8]] = []
        while let entry = readdir(stream) {
            // d_name is a C array, imported as a tuple: its address is the string's.
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { Array($0.prefix { $0 != 0 }) }
            if name != [UInt8(ascii: ".")], name != Array("..".utf8) { names.append(name) }
        }
        return names.sorted { $0.lexicographicallyPrecedes($1) }
    }
}
