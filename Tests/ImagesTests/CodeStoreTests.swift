import Glibc
import Linux
import Testing

@testable import Images

@Suite struct CodeStoreTests {
    @Test func sameContentHasOneNameWhateverTheArchive() throws {
        let directory = try TemporaryDirectory()
        let store = try directory.codeStore()
        try directory.write("print(1)\n", to: "src/app.py", mode: 0o600)
        try directory.write("#!/bin/sh\n", to: "src/bin/run", mode: 0o4711)
        try directory.write("é", to: "src/naïve/ü.txt")
        try directory.link("src/main.py", to: "app.py")
        try directory.link("src/bin/up", to: "../naïve/ü.txt")
        try Files.makeDirectories(directory.path + "/src/empty")
        let copied = try store.importDirectory(path: directory.path + "/src")

        let zip = try Files.open(directory.path + "/a.zip", flags: O_RDWR | O_CREAT, mode: 0o600)
        let packed = try ZipWriter.pack(directory: directory.path + "/src", to: zip)
        #expect(packed == 8)
        #expect(try store.importArchive(path: directory.path + "/a.zip", format: .zip) == copied)

        for (format, option) in [(ArchiveFormat.tar, "-c"), (.tarGzip, "-cz"), (.tarZstd, "-c --zstd")] {
            let file = directory.path + "/a.\(format)"
            // --sort=none is the directory's own order, which is not ours.
            let arguments = ["/bin/sh", "-c", "tar \(option) --format=pax -f '\(file)' -C '\(directory.path)/src' ."]
            let tar = try Linux.Process.spawn(arguments, environment: ["PATH=/usr/bin:/bin"], descriptors: [0, 1, 2])
            try #require(try tar.wait(timeout: 60_000_000_000) == .status(0))
            #expect(try store.importArchive(path: file, format: format) == copied, "\(format)")
        }
        #expect(try store.list() == [copied])
        #expect(copied.bytes == 9 + 10 + 2)

        let tree = store.path(of: copied.digest)
        #expect(try Files.readText(tree + "/naïve/ü.txt") == "é")
        #expect(try Files.readText(tree + "/main.py") == "print(1)\n")
        #expect(try Files.status(tree + "/app.py").mode == 0o644)
        #expect(try Files.status(tree + "/bin/run").mode == 0o755)
        #expect(try Files.status(tree + "/empty").mode == 0o755)
        #expect(try Files.status(tree).mode == 0o755)
        for name in ["/app.py", "/bin", "/main.py", "/bin/run", ""] {
            #expect(try Files.status(tree + name).modified == .fixed, "\(name)")
        }
    }

    @Test func everyDifferenceChangesTheName() throws {
        let directory = try TemporaryDirectory()
        let store = try directory.codeStore()
        let variants: [[ZipBytes.Entry]] = [
            [],
            [ZipBytes.file("a", "1")],
            [ZipBytes.file("a", "2")],
            [ZipBytes.file("b", "1")],
            [ZipBytes.file("a", "1", mode: 0o100755)],
            [ZipBytes.file("a", "1"), ZipBytes.file("b", "")],
            [ZipBytes.file("a/b", "1")],
            [ZipBytes.link("a", to: "b")],
            [ZipBytes.link("a", to: "c")],
            // The same letters in another place: records must not run into one another.
            [ZipBytes.link("ab", to: "c")],
            [ZipBytes.link("b", to: "ca")],
        ]
        var digests: Set<TreeDigest> = []
        for variant in variants {
            let file = try directory.write(ZipBytes.pack(variant), to: "v.zip")
            digests.insert(try store.importArchive(path: file, format: .zip).digest)
        }
        #expect(digests.count == variants.count)
    }

    @Test func emptyTreeIsWhatAFunctionWithoutCodeHas() throws {
        let directory = try TemporaryDirectory()
        let store = try directory.codeStore()
        let tree = try store.emptyTree()
        #expect(tree.bytes == 0 && tree.entries == 0)
        #expect(try store.emptyTree() == tree)
        #expect(try Files.list(store.path(of: tree.digest)).isEmpty)
        #expect(tree.digest.hexadecimal.utf8.count == 64)
    }

    @Test func digestsAreChecked() {
        let good = String(repeating: "0a", count: 32)
        #expect(TreeDigest(good)?.hexadecimal == good)
        for bad in ["", "..", good.uppercased(), good + "0", String(good.dropLast()), "g" + good.dropFirst()] {
            #expect(TreeDigest(bad) == nil, "\(bad)")
        }
    }

    @Test func sha256IsTheStandards() {
        // FIPS 180-4's own examples.
        #expect(
            SHA256.digest(Array("abc".utf8)).hexadecimal
                == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        #expect(
            SHA256.digest([]).hexadecimal == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    }

    @Test func removalAndCollection() throws {
        let directory = try TemporaryDirectory()
        let store = try directory.codeStore()
        var trees: [CodeTree] = []
        for index in 0..<4 {
            let file = try directory.write(ZipBytes.pack([ZipBytes.file("a", "\(index)")]), to: "a.zip")
            trees.append(try store.importArchive(path: file, format: .zip))
        }
        #expect(try store.totalBytes() == 4)
        try store.remove(trees[0].digest)
        try store.remove(trees[0].digest)
        #expect(try store.find(trees[0].digest) == nil)
        // Nothing that was imported a moment ago goes.
        #expect(try store.collect(keeping: []).isEmpty)
        let removed = try store.collect(keeping: [trees[1].digest], grace: -10)
        #expect(Set(removed) == [trees[2], trees[3]])
        #expect(try store.list() == [trees[1]])
        #expect(try directory.everything().filter { $0.hasPrefix("code/.staging/") }.isEmpty)
        #expect(try Files.list(store.root + "/.info") == [trees[1].digest.hexadecimal])
    }

    @Test func startRemovesWhatACrashLeft() throws {
        let directory = try TemporaryDirectory()
        let store = try directory.codeStore()
        let tree = try store.emptyTree()
        try directory.write("half", to: "code/.staging/1-1/tree/file")
        try directory.write("1 1\n", to: "code/.info/" + String(repeating: "0", count: 64))
        try store.recover()
        #expect(try Files.list(store.root + "/.staging").isEmpty)
        #expect(try Files.list(store.root + "/.info") == [tree.digest.hexadecimal])
        #expect(try store.list() == [tree])
    }

    @Test func aLostNoteIsCountedAgain() throws {
        let directory = try TemporaryDirectory()
        let store = try directory.codeStore()
        let entries = [ZipBytes.file("a/b", "12345"), ZipBytes.link("l", to: "a")]
        let file = try directory.write(ZipBytes.pack(entries), to: "a.zip")
        let tree = try store.importArchive(path: file, format: .zip)
        try Files.unlink(store.root + "/.info/" + tree.digest.hexadecimal)
        #expect(try store.find(tree.digest) == tree)
    }

    @Test func concurrentImportsOfTheSameAndOfOthers() async throws {
        let directory = try TemporaryDirectory()
        let store = try directory.codeStore()
        var files: [String] = []
        for index in 0..<4 {
            let entries = (0..<40).map { ZipBytes.file("d\($0 % 7)/f\($0)", "\(index)-\($0)") }
            files.append(try directory.write(ZipBytes.pack(entries), to: "\(index).zip"))
        }
        let paths = files
        let digests = try await withThrowingTaskGroup(of: (Int, TreeDigest).self) { group in
            for index in 0..<32 {
                group.addTask {
                    let path = paths[index % 4]
                    return (index % 4, try store.importArchive(path: path, format: .zip).digest)
                }
            }
            var digests = [Set<TreeDigest>](repeating: [], count: 4)
            for try await (index, digest) in group { digests[index].insert(digest) }
            return digests
        }
        #expect(digests.allSatisfy { $0.count == 1 })
        #expect(try store.list().count == 4)
        #expect(try Files.list(store.root + "/.staging").isEmpty)
    }
}
