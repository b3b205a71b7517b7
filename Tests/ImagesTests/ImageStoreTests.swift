import Glibc
import Linux
import Testing

@testable import Images

@Suite struct ImageStoreTests {
    func rootfs(_ directory: TemporaryDirectory) throws {
        try directory.write("#!/bin/sh\n", to: "rootfs/usr/bin/tool", mode: 0o4755)
        try directory.write("secret", to: "rootfs/etc/shadow", mode: 0o640)
        try directory.write("unit", to: "rootfs/usr/lib/a\\x2db.slice")
        try directory.link("rootfs/bin", to: "usr/bin")
        try directory.link("rootfs/etc/absolute", to: "/usr/bin/tool")
        try #require(link(directory.path + "/rootfs/usr/bin/tool", directory.path + "/rootfs/usr/bin/alias") == 0)
        try #require(mkfifo(directory.path + "/rootfs/pipe", 0o600) == 0)
        try #require(chmod(directory.path + "/rootfs/etc", 0o555) == 0)
    }

    @Test func directoryIsCopied() throws {
        let directory = try TemporaryDirectory()
        let store = try directory.imageStore()
        try rootfs(directory)
        let image = try store.importDirectory(path: directory.path + "/rootfs", name: "tools")
        let root = store.rootfs(of: image)
        #expect(image.kind == .directory && image.skipped == 1 && image.bytes == 10 + 10 + 6 + 4)
        #expect(image.directory == image.digest && TreeDigest(image.digest) != nil)
        #expect(try Files.status(root + "/usr/bin/tool").mode == 0o755)
        #expect(
            try Files.status(root + "/usr/bin/tool").identity == Files.status(root + "/usr/bin/alias").identity)
        #expect(try Files.status(root + "/etc/shadow").mode == 0o640)
        #expect(try Files.status(root + "/etc").mode == 0o755)
        #expect(try Files.linkTarget(root + "/etc/absolute") == Array("/usr/bin/tool".utf8))
        #expect(
            try Files.status(root + "/usr/bin/tool").modified
                == Files.status(directory.path + "/rootfs/usr/bin/tool").modified)
        #expect(!Files.exists(root + "/pipe"))
        for mountPoint in ["usr", "dev", "proc", "tmp", "opt/hearth/runtimes", "var/task"] {
            #expect(try Files.status(root + "/" + mountPoint).kind == .directory, "\(mountPoint)")
        }
        #expect(try store.find("tools") == image)
        #expect(try store.list() == [image])
    }

    @Test func archiveOfItIsTheSameImage() throws {
        let directory = try TemporaryDirectory()
        let store = try directory.imageStore()
        try rootfs(directory)
        let copied = try store.importDirectory(path: directory.path + "/rootfs", name: "copied")
        for (format, option) in [(ArchiveFormat.tar, "-c"), (.tarGzip, "-cz"), (.tarZstd, "-c --zstd")] {
            let file = directory.path + "/r.\(format)"
            let arguments = ["/bin/sh", "-c", "tar \(option) -f '\(file)' -C '\(directory.path)/rootfs' ."]
            let tar = try Linux.Process.spawn(arguments, environment: ["PATH=/usr/bin:/bin"], descriptors: [0, 1, 2])
            try #require(try tar.wait(timeout: 60_000_000_000) == .status(0))
            let image = try store.importTar(path: file, name: "from-\(format)")
            #expect(image.digest == copied.digest)
            #expect(image.skipped == 1)
        }
        #expect(try store.list().map(\.name) == ["copied", "from-tar", "from-tar.gz", "from-tar.zst"])
        #expect(try Files.list(store.root).filter { !$0.hasPrefix(".") } == [copied.directory])
    }

    @Test func namesAndRemoval() throws {
        let directory = try TemporaryDirectory()
        let store = try directory.imageStore()
        try rootfs(directory)
        let source = directory.path + "/rootfs"
        let first = try store.importDirectory(path: source, name: "a")
        let second = try store.importDirectory(path: source, name: "b")
        #expect(first.directory == second.directory)
        try store.delete("a")
        #expect(Files.exists(store.rootfs(of: second)))
        #expect(refusal { try store.delete("a") } == .notFound("a"))
        // A new content under an old name leaves the old directory until nobody uses it.
        try directory.write("new", to: "rootfs/usr/new")
        let third = try store.importDirectory(path: source, name: "b")
        #expect(third.directory != second.directory)
        #expect(try store.find("b") == third)
        #expect(try store.collect(keeping: [second.directory]).isEmpty)
        #expect(try store.collect(keeping: []) == [second.directory])
        try store.delete("b")
        #expect(try Files.list(store.root) == [".names", ".staging"])
        #expect(try Files.list(store.root + "/.staging").isEmpty)

        for name in ["", "A", ".a", "-a", "a/b", "..", "host", "host-1", "a b", "é", String(repeating: "a", count: 64)]
        {
            guard case .invalidName? = refusal({ _ = try store.importDirectory(path: source, name: name) }) else {
                Issue.record("\(name)")
                continue
            }
            #expect(try store.find(name) == nil)
        }
        #expect(Image.isValidName(String(repeating: "a", count: 63)))
        #expect(Image.isValidName("0a.b_c-d"))
    }

    @Test(arguments: ["dev", "proc", "sys", "tmp", "usr", "run", "opt", "opt/hearth", "var", "var/task"])
    func mountPointsMustBeDirectories(_ name: String) throws {
        let directory = try TemporaryDirectory()
        let store = try directory.imageStore()
        try directory.write("x", to: "outside/x")
        for target in [directory.path + "/outside", "..", "etc"] {
            try directory.write("", to: "rootfs/etc/passwd")
            try directory.link("rootfs/" + name, to: target)
            let error = refusal { _ = try store.importDirectory(path: directory.path + "/rootfs", name: "bad") }
            guard case .unusableImage("bad", let why)? = error else {
                Issue.record("\(String(describing: error))")
                continue
            }
            #expect(why.hasPrefix("/\(name) is a symbolic link to '\(target)'"))
            try Files.removeTree(directory.path + "/rootfs")
        }
        try directory.write("a file", to: "rootfs/" + name)
        guard
            case .unusableImage? = refusal({
                _ = try store.importDirectory(path: directory.path + "/rootfs", name: "bad")
            })
        else {
            Issue.record("a file at /\(name) was taken")
            return
        }
        #expect(try store.list().isEmpty)
        #expect(try Files.list(store.root) == [".names", ".staging"])
        #expect(try Files.list(directory.path + "/outside") == ["x"])
    }

    @Test func hostileArchives() throws {
        let directory = try TemporaryDirectory()
        let store = try directory.imageStore()
        try directory.write("canary", to: "outside/canary")
        let cases: [[TarBytes.Entry]] = [
            [TarBytes.file("../outside/canary", "gone")],
            [TarBytes.file("/etc/x")],
            [TarBytes.link("l", to: directory.path + "/outside"), TarBytes.file("l/canary", "gone")],
            [TarBytes.link("l", to: "../../../outside"), TarBytes.directory("l"), TarBytes.file("l/canary", "gone")],
            [TarBytes.link("l", to: directory.path + "/outside/canary"), TarBytes.hardLink("h", to: "l")],
            [TarBytes.hardLink("h", to: directory.path + "/outside/canary")],
            [TarBytes.file("a"), TarBytes.file("a")],
        ]
        for entries in cases {
            let file = try directory.write(TarBytes.pack(entries), to: "r.tar")
            #expect(refusal { _ = try store.importTar(path: file, name: "bad") } != nil)
            #expect(try Files.readText(directory.path + "/outside/canary") == "canary")
            #expect(try Files.list(directory.path + "/outside") == ["canary"])
            #expect(try Files.list(store.root + "/.staging").isEmpty)
        }
        let file = try directory.write(ZipBytes.pack([ZipBytes.file("a")]), to: "r.zip")
        guard case .archive(.zip, _)? = refusal({ _ = try store.importTar(path: file, name: "bad") }) else {
            Issue.record("a zip was taken for a root file system")
            return
        }
    }

    @Test func neverItsOwnCopy() throws {
        let directory = try TemporaryDirectory()
        let store = try directory.imageStore()
        try directory.write("x", to: "usr/x")
        let error = refusal { _ = try store.importDirectory(path: directory.path, name: "loop") }
        #expect(error == .entry("images", .mountedStore))
    }
}
