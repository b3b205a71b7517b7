import FoundationEssentials
import Glibc
import Linux
import Synchronization

/// Root file systems, content-addressed: `ROOT/DIRECTORY/rootfs`, with `ROOT/DIRECTORY/manifest.json` beside it, and
/// `ROOT/.names/NAME` saying which directory a name stands for. Two names for the same content share one directory, and
/// a name that is given to new content leaves the old directory to the sandboxes that still use it.
///
/// All calls block on the disk: make them from a worker thread. Calls on several threads at once are fine.
package final class ImageStore: Sendable {
    package let root: String
    package let limits: TreeLimits
    /// Held while names and directories change.
    private let naming = Mutex(())

    private static let namesDirectory = ".names"

    /// - Parameter root: a directory of its own; made by `recover()` if need be.
    package init(root: String, limits: TreeLimits = .image) {
        self.root = root
        self.limits = limits
    }

    /// Makes the store usable: creates its directories and removes what an earlier process left half done. Call it
    /// once, before anything else.
    package func recover() throws(ImageError) {
        try Staging.recover(store: root)
        try storing(root) { () throws(Errno) in
            try Files.makeDirectories(root + "/" + Self.namesDirectory, mode: 0o700)
        }
    }

    /// The root file system of an image.
    package func rootfs(of image: Image) -> String { root + "/" + image.directory + "/rootfs" }

    // MARK: Imports

    /// Copies a root file system. Permission bits and times are kept; owners, setuid, setgid, capabilities and other
    /// attributes are not; devices, sockets and pipes are left out and counted; other file systems mounted in it are
    /// empty directories in the copy.
    package func importDirectory(path: String, name: String) throws(ImageError) -> Image {
        let own = try? Files.status(root).identity
        return try importTree(name: name) { (builder) throws(ImageError) in
            try builder.add(directory: path, avoiding: own)
        }
    }

    /// Unpacks a root file system, by the same rules. Symbolic links may be absolute: they are never followed here, and
    /// mean what they say once the tree is a sandbox's root.
    /// - Parameter fd: a regular file with a tar archive; it is read from its start and stays the caller's.
    package func importTar(_ fd: Int32, format: ArchiveFormat, name: String) throws(ImageError) -> Image {
        guard format != .zip else { throw .archive(format, "a root file system comes as tar, tar.gz or tar.zst") }
        return try importTree(name: name) { (builder) throws(ImageError) in
            try builder.add(archive: fd, format: format)
        }
    }

    /// Unpacks a root file system's archive, whose format its first bytes tell.
    package func importTar(path: String, name: String) throws(ImageError) -> Image {
        let fd = try storing(path) { () throws(Errno) in try Files.open(path, flags: O_RDONLY) }
        var start = [UInt8](repeating: 0, count: 512)
        let count = try storing(path) { () throws(Errno) in
            let raw = fd.rawValue
            return try systemCall { start.withUnsafeMutableBytes { pread(raw, $0.baseAddress, $0.count, 0) } }
        }
        return try importTar(fd.rawValue, format: ArchiveFormat(magic: Array(start[..<count])) ?? .tar, name: name)
    }

    /// Makes the image `host` out of this node's files, unless the same one is there already; cheap enough for every
    /// start. An older one stays until `collect`.
    /// - Parameter node: the root to read from; another one than "/" is for tests.
    package func prepareHost(node: String = "/") throws(ImageError) -> Image {
        let plan = HostImage(node: node)
        let digest = plan.digest()
        let directory = "host-" + digest.short
        if let image = try manifest(directory), image.digest == digest.hexadecimal {
            try naming.withLock { (_) throws(ImageError) in try point(Image.hostName, to: image) }
            return image
        }
        return try store(name: Image.hostName, kind: .host, notes: plan.notes, directory: { _ in directory }) {
            (builder) throws(ImageError) in try plan.write(to: &builder)
        }
    }

    private func importTree(
        name: String, fill: (inout TreeBuilder) throws(ImageError) -> Void
    ) throws(ImageError) -> Image {
        guard Image.isValidName(name) else { throw .invalidName(printable(name.utf8)) }
        return try store(name: name, kind: .directory, notes: [], directory: { $0.hexadecimal }) {
            (builder) throws(ImageError) in
            try fill(&builder)
            try builder.addMountPoints(image: name)
        }
    }

    // MARK: What there is

    /// Every name, sorted.
    package func list() throws(ImageError) -> [Image] {
        let names = try storing(root) { () throws(Errno) in try Files.list(root + "/" + Self.namesDirectory) }
        var images: [Image] = []
        for name in names {
            if let image = try find(name) { images.append(image) }
        }
        return images
    }

    /// Nil when no image has the name.
    package func find(_ name: String) throws(ImageError) -> Image? {
        guard name == Image.hostName || Image.isValidName(name) else { return nil }
        return try read(root + "/" + Self.namesDirectory + "/" + name)
    }

    // MARK: Removal

    /// Takes an image's name away, and its directory when it was the last name of it. Whether anything uses it is for
    /// the caller to know: sandboxes that have it mounted lose its files.
    package func delete(_ name: String) throws(ImageError) {
        let removed = try naming.withLock { (_) throws(ImageError) -> Staging? in
            guard name != Image.hostName, let image = try find(name) else {
                throw name == Image.hostName ? .invalidName(name) : .notFound(printable(name.utf8))
            }
            try storing(name) { () throws(Errno) in
                try Files.unlink(root + "/" + Self.namesDirectory + "/" + name)
            }
            if try list().contains(where: { $0.directory == image.directory }) { return nil }
            return try detach(image.directory)
        }
        // Here, after the lock, the staging directory goes, and the files with it.
        _ = consume removed
    }

    /// Removes every directory that no name stands for and that is not in `keep` (what sandboxes still use).
    /// - Returns: the directories removed.
    @discardableResult
    package func collect(keeping keep: Set<String>) throws(ImageError) -> [String] {
        let removed = try naming.withLock { (_) throws(ImageError) -> [(String, Staging)] in
            let named = Set(try list().map(\.directory))
            let directories = try storing(root) { () throws(Errno) in try Files.list(root) }
            var removed: [(String, Staging)] = []
            for directory in directories where !directory.hasPrefix(".") {
                if named.contains(directory) || keep.contains(directory) { continue }
                removed.append((directory, try detach(directory)))
            }
            return removed
        }
        return removed.map(\.0)
    }

    /// Moves a directory out of sight; its files go with the staging directory.
    private func detach(_ directory: String) throws(ImageError) -> Staging {
        let staging = try Staging(store: root)
        try storing("removing \(root)/\(directory)") { () throws(Errno) in
            try Files.rename(
                root + "/" + directory, in: Files.atWorkingDirectory, to: "image", in: staging.directory.rawValue)
        }
        return staging
    }

    // MARK: Parts

    private func store(
        name: String, kind: Image.Kind, notes: [String], directory: (TreeDigest) -> String,
        fill: (inout TreeBuilder) throws(ImageError) -> Void
    ) throws(ImageError) -> Image {
        let staging = try Staging(store: root)
        let tree = try storing(staging.path) { () throws(Errno) in
            let place = staging.directory.rawValue
            try Files.makeDirectory("image", in: place, mode: 0o755)
            try Files.makeDirectory("image/rootfs", in: place, mode: 0o700)
            return try Files.open("image/rootfs", in: place, flags: O_RDONLY | O_DIRECTORY, resolve: Files.confined)
        }
        var builder = TreeBuilder(in: tree, policy: .image(limits))
        try fill(&builder)
        let digest = try builder.finish()
        try builder.synchronize()
        let image = Image(
            name: name, directory: directory(digest), digest: digest.hexadecimal, kind: kind,
            bytes: builder.manifest.bytes, entries: builder.manifest.nodes.count, skipped: builder.skipped,
            created: realtimeNow() / 1_000_000_000, notes: notes)
        try write(image, to: "image/manifest.json", in: staging.directory.rawValue)
        try naming.withLock { (_) throws(ImageError) in try give(staging, image) }
        return image
    }

    /// Moves a complete image to its place and points the name at it.
    private func give(_ staging: Staging, _ image: Image) throws(ImageError) {
        let path = root + "/" + image.directory
        try storing(path) { () throws(Errno) in
            do throws(Errno) {
                try Files.renameNew("image", in: staging.directory.rawValue, to: path, in: Files.atWorkingDirectory)
            } catch .exists {
                // The same content is there: only the name is new.
            }
            try Files.synchronizeDirectory(root)
        }
        try point(image.name, to: image)
    }

    private func point(_ name: String, to image: Image) throws(ImageError) {
        let names = root + "/" + Self.namesDirectory
        if let current = try? read(names + "/" + name), current.directory == image.directory { return }
        let staging = try Staging(store: root)
        try write(image, to: "name", in: staging.directory.rawValue)
        try storing(names + "/" + name) { () throws(Errno) in
            try Files.rename(
                "name", in: staging.directory.rawValue, to: names + "/" + name, in: Files.atWorkingDirectory)
            try Files.synchronizeDirectory(names)
        }
    }

    private func write(_ image: Image, to path: String, in directory: Int32) throws(ImageError) {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        // Strings, integers and arrays of them always encode.
        guard let data = try? encoder.encode(image) else { throw .system(.invalidArgument, "encoding \(path)") }
        try storing(path) { () throws(Errno) in
            let fd = try Files.open(path, in: directory, flags: O_WRONLY | O_CREAT | O_EXCL, mode: 0o644)
            try Message.writeAll(fd.rawValue, [UInt8](data) + [UInt8(ascii: "\n")])
            try Files.synchronize(fd.rawValue)
        }
    }

    private func manifest(_ directory: String) throws(ImageError) -> Image? {
        try read(root + "/" + directory + "/manifest.json")
    }

    private func read(_ path: String) throws(ImageError) -> Image? {
        do throws(Errno) {
            let bytes = try Files.read(path)
            // What is not readable as a manifest was not written by this store; the image has to be imported again.
            return try? JSONDecoder().decode(Image.self, from: Data(bytes))
        } catch .noEntry {
            return nil
        } catch {
            throw ImageError(error, path)
        }
    }
}
