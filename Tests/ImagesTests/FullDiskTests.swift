import Glibc
import Linux
import Testing

@testable import Images

/// A file system of one megabyte, for tests that fill it; needs root.
final class SmallFileSystem {
    let path: String
    /// Removed after the file system has gone from it.
    private let directory: TemporaryDirectory

    init(in directory: TemporaryDirectory, options: String) throws {
        self.directory = directory
        path = directory.path + "/small"
        try Files.makeDirectories(path)
        guard mount("none", path, "tmpfs", 0, options) == 0 else { throw Errno.current }
    }

    deinit { umount2(path, Int32(MNT_DETACH)) }
}

@Suite(.enabled(if: getuid() == 0, "mounting a small file system needs root"))
struct FullDiskTests {
    let directory: TemporaryDirectory
    let small: SmallFileSystem
    let store: CodeStore

    init() throws {
        directory = try TemporaryDirectory()
        small = try SmallFileSystem(in: directory, options: "size=1m")
        store = CodeStore(root: small.path + "/code")
        try store.recover()
    }

    var isFull: (ImageError?) -> Bool {
        { error in
            if case .storageFull? = error { true } else { false }
        }
    }

    @Test func importLeavesNothing() throws {
        let text = String(repeating: "x", count: 300_000)
        let file = try directory.write(
            ZipBytes.pack((0..<5).map { ZipBytes.file("d/\($0)", text) }), to: "big.zip")
        let error = refusal { _ = try store.importArchive(path: file, format: .zip) }
        #expect(isFull(error), "\(String(describing: error))")
        #expect("\(error.map { "\($0)" } ?? "")".contains("no space left"))
        #expect(try Files.list(store.root + "/.staging").isEmpty)
        // And goes on: what fits is taken, twice the same needs room once at a time.
        let little = try directory.write(ZipBytes.pack([ZipBytes.file("a", text)]), to: "little.zip")
        let tree = try store.importArchive(path: little, format: .zip)
        #expect(try store.importArchive(path: little, format: .zip) == tree)
        #expect(try store.list() == [tree])
    }

    @Test func upload() throws {
        let upload = try CodeUpload(into: store, limit: 10 << 20)
        let chunk = [UInt8](repeating: 1, count: 65536)
        let error = refusal { for _ in 0..<100 { try upload.append(chunk) } }
        #expect(isFull(error), "\(String(describing: error))")
        #expect(try Files.list(store.root + "/.staging").isEmpty)
    }

    @Test func noInodeLeft() throws {
        let other = try TemporaryDirectory()
        let small = try SmallFileSystem(in: other, options: "size=1m,nr_inodes=30")
        let store = CodeStore(root: small.path + "/code")
        try store.recover()
        let file = try directory.write(ZipBytes.pack((0..<50).map { ZipBytes.file("\($0)", "") }), to: "many.zip")
        #expect(isFull(refusal { _ = try store.importArchive(path: file, format: .zip) }))
        #expect(try Files.list(store.root + "/.staging").isEmpty)
        #expect(try store.list().isEmpty)
    }

    @Test func image() throws {
        let store = ImageStore(root: small.path + "/images")
        try store.recover()
        try directory.write([UInt8](repeating: 7, count: 2 << 20), to: "rootfs/usr/big")
        let error = refusal { _ = try store.importDirectory(path: directory.path + "/rootfs", name: "big") }
        #expect(isFull(error), "\(String(describing: error))")
        #expect(try store.list().isEmpty)
        #expect(try Files.list(store.root + "/.staging").isEmpty)
    }
}
