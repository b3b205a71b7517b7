import Glibc
import Linux

/// Writes a tree beneath a directory that nobody else knows, entry by entry, each checked against the policy.
///
/// Two guards stand behind one another: the manifest knows what every part of a path is, and the kernel resolves each
/// path without following a link and without leaving the directory (openat2(2)).
struct TreeBuilder: ~Copyable {
    let policy: TreePolicy
    private let root: OwnedFD
    private(set) var manifest = TreeManifest()
    /// Devices, pipes and sockets that were left out.
    private(set) var skipped = 0
    private var times: [TreePath: FileTime] = [:]
    /// The directory of the last entry: most come grouped.
    private var lastParent: (path: TreePath, fd: SharedFD)?

    init(in root: consuming OwnedFD, policy: TreePolicy) {
        self.root = root
        self.policy = policy
    }

    // MARK: Entries

    func path(_ name: some Collection<UInt8>) throws(ImageError) -> TreePath {
        if name.isEmpty { throw .entry("", .emptyName) }
        do throws(EntryFault) {
            return try TreePath(checking: name, limits: policy.limits, backslashes: policy.allowsBackslashes)
        } catch {
            throw .entry(printable(name), error)
        }
    }

    /// A directory; one that is there already only takes the mode, since a second name hides nothing.
    mutating func addDirectory(_ path: TreePath, mode: UInt32, modified: FileTime? = nil) throws(ImageError) {
        if path.isRoot { return }
        switch manifest[path] {
        case .directory: break
        case nil: try makeDirectory(path)
        default: throw Self.refuse(path, .duplicate)
        }
        manifest.set(.directory(mode: policy.directoryMode(mode), named: true), at: path)
        if let modified, policy.keepsTimes { times[path] = modified }
    }

    mutating func addLink(
        _ path: TreePath, target: some Collection<UInt8>, modified: FileTime? = nil
    ) throws(ImageError) {
        guard let text = String(validating: target, as: UTF8.self) else { throw Self.refuse(path, .notUnicode) }
        if text.isEmpty { throw Self.refuse(path, .emptyLink) }
        if text.unicodeScalars.contains(where: { $0.properties.generalCategory == .control }) {
            throw Self.refuse(path, .controlCharacter)
        }
        // The kernel keeps a target that does not fit into a page from being made at all.
        if text.utf8.count >= Int(PATH_MAX) { throw Self.refuse(path, .pathTooLong(limit: Int(PATH_MAX) - 1)) }
        if policy.confinesLinks, text.utf8.first == UInt8(ascii: "/") {
            throw Self.refuse(path, .linkLeaves(target: printable(target)))
        }
        try addNew(path)
        let parent = try parent(of: path)
        let time = policy.keepsTimes ? modified ?? .fixed : .fixed
        try storing(path.text) { () throws(Errno) in
            try Files.makeLink(path.name, in: parent.rawValue, target: text)
            try Files.setTimes(time, ofLink: path.name, in: parent.rawValue)
        }
        manifest.set(.link(target: text), at: path)
    }

    /// Opens a new file for `write`, which fills it through the sink.
    mutating func addFile(
        _ path: TreePath, mode: UInt32, size: Int64, modified: FileTime? = nil,
        write: (inout FileSink) throws(ImageError) -> Void
    ) throws(ImageError) {
        let room = policy.limits.bytes - manifest.bytes
        if size > room { throw .tooManyBytes(limit: policy.limits.bytes) }
        try addNew(path)
        _ = try parent(of: path)
        let root = root.rawValue
        let fd = try storing(path.text) { () throws(Errno) in
            try Files.open(
                path.text, in: root, flags: O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o600,
                resolve: Files.confined)
        }
        var sink = FileSink(fd, path: path.text, room: room, limit: policy.limits.bytes)
        try write(&sink)
        let mode = policy.fileMode(mode)
        let time = policy.keepsTimes ? modified ?? .fixed : .fixed
        let (written, hash) = try sink.finish(mode: mode, modified: time)
        manifest.set(.file(mode: mode, size: written, hash: hash), at: path)
    }

    /// Another name for a file of this tree.
    mutating func addHardLink(_ path: TreePath, to target: TreePath) throws(ImageError) {
        guard case .file(let mode, let size, let hash)? = manifest[target] else {
            throw Self.refuse(path, .hardLink(target: target.text))
        }
        if size > policy.limits.bytes - manifest.bytes { throw .tooManyBytes(limit: policy.limits.bytes) }
        try addNew(path)
        let parent = try parent(of: path)
        let root = root.rawValue
        try storing(path.text) { () throws(Errno) in
            let place = try Files.open(
                target.parent.forSystemCall, in: root, flags: Files.pathOnly | O_DIRECTORY, resolve: Files.confined)
            try Files.makeHardLink(
                from: target.name, in: place.rawValue, to: path.name, in: parent.rawValue)
        }
        manifest.set(.file(mode: mode, size: size, hash: hash), at: path)
    }

    mutating func addSpecial(_ path: TreePath, kind: String) throws(ImageError) {
        if !policy.skipsSpecialFiles { throw Self.refuse(path, .special(kind)) }
        skipped += 1
        if skipped > policy.limits.entries { throw .tooManyEntries(limit: policy.limits.entries) }
    }

    /// Gives directories their modes and times, and checks the links.
    mutating func finish() throws(ImageError) -> TreeDigest {
        lastParent = nil
        for path in manifest.sortedPaths.reversed() {
            switch manifest[path] {
            case .link(let target)? where policy.confinesLinks:
                if manifest.linkLeaves(at: path, target: target) {
                    throw Self.refuse(path, .linkLeaves(target: printable(target.utf8)))
                }
            case .directory(let mode, _)?:
                try seal(path, mode: mode, modified: times[path] ?? .fixed)
            default: break
            }
        }
        try seal(.root, mode: 0o755, modified: .fixed)
        return manifest.digest()
    }

    /// Makes everything durable.
    func synchronize() throws(ImageError) {
        // One call for the whole tree: an fsync(2) for each file would wait for the disk as many times.
        let root = root.rawValue
        try storing("writing to disk") { () throws(Errno) in try Files.synchronizeFileSystem(of: root) }
    }

    static func refuse(_ path: TreePath, _ fault: EntryFault) -> ImageError {
        .entry(printable(path.text.utf8), fault)
    }

    // MARK: Steps

    /// Checks that the name is free and makes the directories it implies.
    private mutating func addNew(_ path: TreePath) throws(ImageError) {
        if path.isRoot { throw .entry(".", .duplicate) }
        if manifest[path] != nil { throw Self.refuse(path, .duplicate) }
        if manifest.nodes.count >= policy.limits.entries { throw .tooManyEntries(limit: policy.limits.entries) }
        try addParents(of: path)
        if manifest.nodes.count >= policy.limits.entries { throw .tooManyEntries(limit: policy.limits.entries) }
    }

    private mutating func addParents(of path: TreePath) throws(ImageError) {
        switch manifest[path.parent] {
        case .directory: return
        case nil: break
        default: throw Self.refuse(path, .notInDirectory(printable(path.parent.text.utf8)))
        }
        try makeDirectory(path.parent)
        manifest.set(.directory(mode: policy.directoryMode(0o755), named: false), at: path.parent)
    }

    private mutating func makeDirectory(_ path: TreePath) throws(ImageError) {
        try addNew(path)
        let parent = try parent(of: path)
        try storing(path.text) { () throws(Errno) in
            try Files.makeDirectory(path.name, in: parent.rawValue, mode: 0o700)
        }
    }

    private mutating func parent(of path: TreePath) throws(ImageError) -> SharedFD {
        if let lastParent, lastParent.path == path.parent { return lastParent.fd }
        let root = root.rawValue
        let parent = path.parent
        let fd = try storing(path.text) { () throws(Errno) in
            try Files.open(
                parent.forSystemCall, in: root, flags: Files.pathOnly | O_DIRECTORY, resolve: Files.confined)
        }
        let shared = SharedFD(fd)
        lastParent = (parent, shared)
        return shared
    }

    private func seal(_ path: TreePath, mode: UInt32, modified: FileTime) throws(ImageError) {
        let root = root.rawValue
        try storing(path.forSystemCall) { () throws(Errno) in
            let fd = try Files.open(
                path.forSystemCall, in: root, flags: O_RDONLY | O_DIRECTORY, resolve: Files.confined)
            try Files.setMode(mode, of: fd.rawValue)
            try Files.setTimes(modified, of: fd.rawValue)
        }
    }
}
