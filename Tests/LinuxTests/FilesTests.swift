import Glibc
import Testing

@testable import Linux

@Suite struct FilesTests {
    @Test func readsWhatItWrote() throws {
        let directory = try TemporaryDirectory()
        let file = directory.path + "/f"
        try Files.write(Array("first, longer".utf8), to: file, mode: 0o600)
        try Files.write(Array("second".utf8), to: file)
        #expect(try Files.readText(file) == "second")
        #expect(try Files.read(file, limit: 6).count == 6)
        #expect(throws: Errno.fileTooLarge) { _ = try Files.read(file, limit: 5) }
        #expect(throws: Errno.noEntry) { _ = try Files.read(file + "x") }
        #expect(throws: Errno.noEntry) { try Files.writeControl("x", to: file + "x") }
        #expect(Files.exists(file) && !Files.exists(file + "x"))
    }

    @Test func makesDirectoriesOnTheWay() throws {
        let directory = try TemporaryDirectory()
        try Files.makeDirectories(directory.path + "/a/b//c/")
        try Files.makeDirectories(directory.path + "/a/b/c")
        #expect(try Files.list(directory.path + "/a/b") == ["c"])
        #expect(throws: Errno.exists) { try Files.makeDirectory(directory.path + "/a") }
        try Files.write([], to: directory.path + "/file")
        #expect(throws: Errno.notDirectory) { try Files.makeDirectories(directory.path + "/file/x") }
    }

    @Test func listsSortedWithoutTheDots() throws {
        let directory = try TemporaryDirectory()
        for name in ["b", "a", ".hidden", "ä", "-x"] { try Files.write([], to: directory.path + "/" + name) }
        #expect(try Files.list(directory.path) == ["-x", ".hidden", "a", "b", "ä"])
        #expect(throws: Errno.notDirectory) { _ = try Files.list(directory.path + "/a") }
    }

    @Test func renames() throws {
        let directory = try TemporaryDirectory()
        let fd = try Files.openDirectory(directory.path)
        try Files.write([1], to: "x", in: fd.rawValue)
        try Files.rename("x", in: fd.rawValue, to: "y", in: fd.rawValue)
        #expect(try Files.read("y", in: fd.rawValue) == [1])
        #expect(throws: Errno.noEntry) {
            try Files.rename("x", in: fd.rawValue, to: "z", in: fd.rawValue)
        }
    }

    @Test func removesATreeButFollowsNoLink() throws {
        let directory = try TemporaryDirectory()
        let tree = directory.path + "/tree"
        let canary = directory.path + "/canary"
        try Files.makeDirectories(tree + "/a/b/c")
        try Files.makeDirectories(canary)
        try Files.write([1], to: canary + "/precious")
        try Files.write([], to: tree + "/a/file")
        #expect(symlink(canary, tree + "/a/out") == 0)
        #expect(symlink(canary + "/precious", tree + "/a/b/file") == 0)
        #expect(symlink("nowhere", tree + "/dangling") == 0)
        #expect(mkfifo(tree + "/pipe", 0o600) == 0)
        #expect(chmod(tree + "/a/b", 0o000) == 0 || geteuid() != 0)
        try Files.removeTree(tree)
        #expect(!Files.exists(tree))
        #expect(try Files.list(canary) == ["precious"])
        try Files.removeTree(tree)
        // A link as the argument itself is removed, not what it names.
        #expect(symlink(canary, tree) == 0)
        try Files.removeTree(tree)
        #expect(try Files.list(canary) == ["precious"])
    }

    @Test func removesADeepTree() throws {
        let directory = try TemporaryDirectory()
        // Deeper than a path may be long, and well below the limit of descriptors.
        var fd = try Files.openDirectory(directory.path)
        let name = String(repeating: "d", count: 60)
        for _ in 0..<100 {
            try Files.makeDirectory(name, in: fd.rawValue)
            fd = try Files.openDirectory(name, in: fd.rawValue)
        }
        try Files.removeTree(directory.path + "/" + name)
        #expect(try Files.list(directory.path) == [])
    }

    @Test func resolvesWithinBounds() throws {
        let directory = try TemporaryDirectory()
        try Files.makeDirectories(directory.path + "/root/in")
        try Files.write([1], to: directory.path + "/secret")
        #expect(symlink("../secret", directory.path + "/root/out") == 0)
        #expect(symlink("in", directory.path + "/root/link") == 0)
        let root = try Files.openDirectory(directory.path + "/root")
        func open(_ path: String, _ resolve: Files.Resolve) throws {
            _ = try Files.open(path, in: root.rawValue, flags: O_RDONLY, resolve: resolve)
        }
        try open("in", .beneath)
        try open("link", .beneath)
        #expect(throws: Errno.crossDevice) { try open("out", .beneath) }
        #expect(throws: Errno.crossDevice) { try open("../secret", .beneath) }
        #expect(throws: Errno.tooManySymbolicLinks) { try open("link", [.beneath, .noSymlinks]) }
        #expect(throws: Errno.noEntry) { try open("/secret", .inRoot) }
    }
}
