import Glibc
import Images
import Linux

extension FuzzTarget {
    /// An uploaded function: zip, tar, tar.gz or tar.zst, told apart by its first bytes.
    static let codeArchive = FuzzTarget(name: "code-archive", maximumLength: 8192) { input in
        withStore { (root) throws(ImageError) in
            let store = CodeStore(root: root + "/code", limits: limits)
            try store.recover()
            let upload = try CodeUpload(into: store, limit: 1 << 20)
            try upload.append(input)
            guard let format = try upload.detectedFormat() else { return }
            let first = try? upload.finish(format: format)
            guard let first else {
                expect(try store.list().isEmpty, "a refused archive left a tree")
                return
            }
            expect(first.bytes <= limits.bytes && first.entries <= limits.entries, "a tree beyond its limits")
            expect(try upload.finish(format: format).digest == first.digest, "the digest changes")
            inspect(store.path(of: first.digest))
            try store.remove(first.digest)
            expect(try store.list().isEmpty, "a removed tree is still there")
        }
    }

    /// An uploaded root file system.
    static let imageArchive = FuzzTarget(name: "image-archive", maximumLength: 8192) { input in
        withStore { (root) throws(ImageError) in
            let store = ImageStore(root: root + "/images", limits: limits)
            try store.recover()
            guard let file = try? MemoryFile.sealed(name: "fuzzed", input) else { return }
            let format = ArchiveFormat(magic: Array(input.prefix(512))) ?? .tar
            guard let image = try? store.importTar(file.rawValue, format: format, name: "fuzzed") else {
                expect(try store.list().isEmpty, "a refused archive left an image")
                return
            }
            inspect(store.rootfs(of: image))
            try store.delete("fuzzed")
            expect(try store.list().isEmpty, "a deleted image is still there")
        }
    }

    private static let limits = TreeLimits(bytes: 1 << 20, entries: 500, depth: 16)

    /// A directory of its own for one input, in memory; it must be empty of our files again, whatever happened.
    private static func withStore(_ body: (String) throws(ImageError) -> Void) {
        var template = Array("/dev/shm/hearth-fuzz-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { preconditionFailure("no directory in /dev/shm") }
        let root = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        defer { try? Files.removeTree(root) }
        // Where an archive that escapes would land.
        let names = (try? Files.list(root)) ?? []
        expect(names.isEmpty, "a new directory is not empty")
        do throws(ImageError) {
            try body(root)
        } catch {
            expect(!error.description.isEmpty, "an error without a text")
        }
        let left = Set((try? Files.list(root)) ?? [])
        expect(left.isSubset(of: ["code", "images"]), "an archive wrote outside of its store: \(left.sorted())")
    }

    /// Nothing of the tree has setuid or setgid, or is anything but a file, a directory or a link.
    private static func inspect(_ path: String) {
        for name in (try? Files.list(path)) ?? [] {
            let child = path + "/" + name
            var status = stat()
            guard lstat(child, &status) == 0 else { continue }
            expect(status.st_mode & 0o6000 == 0, "setuid or setgid survived: \(child)")
            switch status.st_mode & S_IFMT {
            case S_IFDIR: inspect(child)
            case S_IFREG, S_IFLNK: break
            default: expect(false, "a special file was made: \(child)")
            }
        }
    }
}
