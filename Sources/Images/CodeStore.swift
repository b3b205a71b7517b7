import Glibc
import Linux
import Synchronization

/// One stored tree of function code.
package struct CodeTree: Sendable, Hashable {
    package let digest: TreeDigest
    /// Regular files together.
    package let bytes: Int64
    /// Files, directories and links.
    package let entries: Int
}

/// Function code, content-addressed: `ROOT/DIGEST` is the tree that a sandbox gets at /var/task, read-only.
///
/// All calls block on the disk: make them from a worker thread. Calls on several threads at once are fine. A tree is
/// complete and on disk before it gets its name; whatever fails leaves nothing.
package final class CodeStore: Sendable {
    /// A tree stays at least this long after its last import, so that a collection that runs between an import and the
    /// registration of its function does not take the code away.
    package static let collectionGrace: Int = 600

    package let root: String
    package let limits: TreeLimits
    /// Held while a tree gets its name, is found to be there already, or loses its name.
    private let naming = Mutex(())

    private static let informationDirectory = ".info"

    /// - Parameter root: a directory of its own; made by `recover()` if need be.
    package init(root: String, limits: TreeLimits = .code) {
        self.root = root
        self.limits = limits
    }

    /// Makes the store usable: creates its directories and removes what an earlier process left half done. Call it
    /// once, before anything else.
    package func recover() throws(ImageError) {
        try Staging.recover(store: root)
        let information = root + "/" + Self.informationDirectory
        try storing(information) { () throws(Errno) in
            try Files.makeDirectories(information, mode: 0o700)
            let trees = Set(try Files.list(root))
            for name in try Files.list(information) where !trees.contains(name) {
                try Files.unlink(information + "/" + name)
            }
        }
    }

    /// The directory of a tree.
    package func path(of digest: TreeDigest) -> String { root + "/" + digest.hexadecimal }

    // MARK: Imports

    /// Unpacks an archive.
    /// - Parameter fd: a regular file; it is read from its start and stays the caller's.
    package func importArchive(_ fd: Int32, format: ArchiveFormat) throws(ImageError) -> CodeTree {
        try store { (builder) throws(ImageError) in try builder.add(archive: fd, format: format) }
    }

    /// Unpacks an archive file.
    package func importArchive(path: String, format: ArchiveFormat) throws(ImageError) -> CodeTree {
        let fd = try storing(path) { () throws(Errno) in try Files.open(path, flags: O_RDONLY) }
        return try importArchive(fd.rawValue, format: format)
    }

    /// Copies a directory, by the same rules as an archive of it.
    package func importDirectory(path: String) throws(ImageError) -> CodeTree {
        let own = try? Files.status(root).identity
        return try store { (builder) throws(ImageError) in try builder.add(directory: path, avoiding: own) }
    }

    /// What a function without code has: a tree without entries.
    package func emptyTree() throws(ImageError) -> CodeTree {
        try store { (_) throws(ImageError) in }
    }

    // MARK: What there is

    /// Nil when there is no such tree.
    package func find(_ digest: TreeDigest) throws(ImageError) -> CodeTree? {
        guard Files.exists(path(of: digest)) else { return nil }
        return try information(digest)
    }

    /// Every tree, by digest.
    package func list() throws(ImageError) -> [CodeTree] {
        let names = try storing(root) { () throws(Errno) in try Files.list(root) }
        var trees: [CodeTree] = []
        for digest in names.compactMap({ TreeDigest($0) }) { trees.append(try information(digest)) }
        return trees
    }

    /// The trees' files together, in bytes.
    package func totalBytes() throws(ImageError) -> Int64 {
        try list().reduce(0) { $0 + $1.bytes }
    }

    // MARK: Removal

    /// Removes a tree; one that is not there is fine. Sandboxes that have it mounted lose its files.
    package func remove(_ digest: TreeDigest) throws(ImageError) {
        _ = try remove(digest, unlessNewerThan: nil)
    }

    /// Removes every tree that is neither in `keep` nor imported within the last `grace` seconds.
    /// - Returns: what was removed.
    @discardableResult
    package func collect(
        keeping keep: Set<TreeDigest>, grace: Int = CodeStore.collectionGrace
    ) throws(ImageError) -> [CodeTree] {
        let newest = Int(realtimeNow() / 1_000_000_000) - grace
        var removed: [CodeTree] = []
        for tree in try list() where !keep.contains(tree.digest) {
            if try remove(tree.digest, unlessNewerThan: newest) { removed.append(tree) }
        }
        return removed
    }

    /// - Parameter newest: seconds since 1970; a tree imported later stays.
    private func remove(_ digest: TreeDigest, unlessNewerThan newest: Int?) throws(ImageError) -> Bool {
        // The name goes in one step; the staging directory takes the files away, after the lock.
        let staging = try Staging(store: root)
        let path = path(of: digest)
        let removed = try naming.withLock { (_) throws(ImageError) in
            do throws(Errno) {
                // An import that finds the tree there sets its times, which moves the change time.
                if let newest, try Files.status(path).changed.seconds > newest { return false }
                try Files.rename(
                    path, in: Files.atWorkingDirectory, to: "tree", in: staging.directory.rawValue)
                try Files.removeTree(informationPath(digest))
                return true
            } catch .noEntry {
                return false
            } catch {
                throw ImageError(error, "removing \(path)")
            }
        }
        return removed
    }

    // MARK: Parts

    private func store(
        _ fill: (inout TreeBuilder) throws(ImageError) -> Void
    ) throws(ImageError) -> CodeTree {
        let staging = try Staging(store: root)
        let tree = try storing(staging.path) { () throws(Errno) in
            try Files.makeDirectory("tree", in: staging.directory.rawValue, mode: 0o700)
            return try Files.open(
                "tree", in: staging.directory.rawValue, flags: O_RDONLY | O_DIRECTORY, resolve: Files.confined)
        }
        var builder = TreeBuilder(in: tree, policy: .code(limits))
        try fill(&builder)
        let digest = try builder.finish()
        // What is there under this name is on disk already.
        if !Files.exists(path(of: digest)) { try builder.synchronize() }
        let result = CodeTree(digest: digest, bytes: builder.manifest.bytes, entries: builder.manifest.nodes.count)
        FaultPoint.reach(.treeUnpacked)
        try naming.withLock { (_) throws(ImageError) in try name(staging, result) }
        return result
    }

    private func name(_ staging: Staging, _ tree: CodeTree) throws(ImageError) {
        let path = path(of: tree.digest)
        try storing(path) { () throws(Errno) in
            let line = "\(tree.bytes) \(tree.entries)\n"
            try Files.write(Array(line.utf8), to: "info", in: staging.directory.rawValue, mode: 0o600)
            try Files.rename("info", in: staging.directory.rawValue, to: informationPath(tree.digest))
            do throws(Errno) {
                try Files.renameNew(
                    "tree", in: staging.directory.rawValue, to: path, in: Files.atWorkingDirectory)
            } catch .exists {
                // The same content is there. Its change time says that it is wanted again.
                let existing = try Files.openDirectory(path)
                try Files.setTimes(.fixed, of: existing.rawValue)
            }
            // The name itself is on disk before anybody is told it.
            try Files.synchronizeDirectory(root)
        }
    }

    private func informationPath(_ digest: TreeDigest) -> String {
        root + "/" + Self.informationDirectory + "/" + digest.hexadecimal
    }

    private func information(_ digest: TreeDigest) throws(ImageError) -> CodeTree {
        let text = (try? Files.readText(informationPath(digest))) ?? ""
        let fields = text.split(whereSeparator: \.isWhitespace)
        if fields.count == 2, let bytes = Int64(fields[0]), let entries = Int(fields[1]) {
            return CodeTree(digest: digest, bytes: bytes, entries: entries)
        }
        // The power failed between the tree's name and its note: count again.
        var counter = TreeCounter()
        try storing(path(of: digest)) { () throws(Errno) in try counter.count(path(of: digest)) }
        return CodeTree(digest: digest, bytes: counter.bytes, entries: counter.entries)
    }
}
