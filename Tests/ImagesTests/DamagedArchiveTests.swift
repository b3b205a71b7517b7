import Glibc
import Linux
import Testing

@testable import Images

/// Archives cut short or with bytes changed: an error or a sound tree, never a crash and never a file outside.
@Suite struct DamagedArchiveTests {
    let directory: TemporaryDirectory
    let store: CodeStore

    init() throws {
        directory = try TemporaryDirectory()
        store = try directory.codeStore(limits: TreeLimits(bytes: 1 << 20, entries: 100))
    }

    /// One archive of each format with the same content, and the content's tree.
    func samples() throws -> (archives: [(ArchiveFormat, [UInt8])], whole: CodeTree) {
        try directory.write(String(repeating: "print('hello')\n", count: 40), to: "src/app.py")
        try directory.write("#!/bin/sh\necho\n", to: "src/bin/run", mode: 0o755)
        try directory.write(Array(0..<255), to: "src/lib/data.bin")
        try directory.link("src/link", to: "lib/data.bin")
        let whole = try store.importDirectory(path: directory.path + "/src")
        let zip = try Files.open(directory.path + "/a.zip", flags: O_RDWR | O_CREAT, mode: 0o600)
        try ZipWriter.pack(directory: directory.path + "/src", to: zip)
        var archives = [(ArchiveFormat.zip, try Files.read(directory.path + "/a.zip"))]
        for (format, option) in [(ArchiveFormat.tar, "-c"), (.tarGzip, "-cz"), (.tarZstd, "-c --zstd")] {
            let file = directory.path + "/a.\(format)"
            // -b 1: no padding, so that every byte has a meaning.
            let arguments = ["/bin/sh", "-c", "tar \(option) -b 1 -f '\(file)' -C '\(directory.path)/src' ."]
            let tar = try Linux.Process.spawn(arguments, environment: ["PATH=/usr/bin:/bin"], descriptors: [0, 1, 2])
            try #require(try tar.wait(timeout: 60_000_000_000) == .status(0))
            archives.append((format, try Files.read(file)))
        }
        try Files.removeTree(directory.path + "/src")
        return (archives, whole)
    }

    /// Imports the archive; whatever comes of it, nothing but a whole tree may be there afterwards.
    func tryImport(_ bytes: [UInt8], _ format: ArchiveFormat) throws -> CodeTree? {
        let file = try directory.write(bytes, to: "damaged")
        let outside = try Files.list(directory.path)
        defer { try? Files.unlink(file) }
        var tree: CodeTree?
        do throws(ImageError) {
            tree = try store.importArchive(path: file, format: format)
        } catch {
            #expect(!"\(error)".isEmpty)
        }
        #expect(try Files.list(directory.path) == outside)
        #expect(try Files.list(store.root + "/.staging").isEmpty)
        if let tree {
            var counter = TreeCounter()
            try counter.count(store.path(of: tree.digest))
            #expect(counter.bytes == tree.bytes && counter.entries == tree.entries)
        }
        return tree
    }

    @Test func truncated() throws {
        let (archives, whole) = try samples()
        for (format, bytes) in archives {
            #expect(try tryImport(bytes, format) == whole)
            let blocks = format == .tar ? Array(stride(from: 0, to: bytes.count - 1024, by: 512)) : []
            for length in Array(stride(from: 0, to: bytes.count, by: 97)) + blocks + [bytes.count - 1] {
                let tree = try tryImport(Array(bytes[..<length]), format)
                // The end mark of tar is two blocks, of which one is enough.
                if format == .tar, length >= bytes.count - 512 { continue }
                // What is behind a gzip stream's data is its own check sum, which libarchive does not read.
                if format == .tarGzip, length >= bytes.count - 8 { continue }
                #expect(tree == nil, "\(format) cut to \(length) of \(bytes.count) bytes was taken")
            }
        }
    }

    @Test(arguments: [1, 2, 3, 4])
    func mutated(_ part: UInt64) throws {
        let (archives, _) = try samples()
        let seed = ProcessSeed.value &+ part
        var random = SeededGenerator(seed: seed)
        var taken = 0
        for round in 0..<300 {
            let (format, bytes) = archives[round % archives.count]
            var damaged = bytes
            for _ in 0..<Int.random(in: 1...6, using: &random) {
                let index = Int.random(in: 0..<damaged.count, using: &random)
                switch Int.random(in: 0..<4, using: &random) {
                case 0: damaged[index] = UInt8.random(in: 0...255, using: &random)
                case 1: damaged[index] ^= 1 << UInt8.random(in: 0..<8, using: &random)
                case 2: damaged.insert(contentsOf: Array("../".utf8), at: index)
                default: damaged.removeSubrange(index..<min(damaged.count, index + 3))
                }
                if damaged.isEmpty { damaged = bytes }
            }
            if try tryImport(damaged, format) != nil { taken += 1 }
        }
        let outside = try directory.everything().filter { !$0.hasPrefix("code") && !$0.hasPrefix("a.") }
        #expect(outside.isEmpty, "seed \(seed)")
        #expect(taken < 300, "seed \(seed)")
    }
}

/// Another one for each run; HEARTH_SEED repeats a run.
enum ProcessSeed {
    static let value: UInt64 = {
        if let text = getenv("HEARTH_SEED"), let seed = UInt64(String(cString: text)) { return seed }
        let seed = UInt64.random(in: 0...UInt64(UInt32.max))
        print("ImagesTests: HEARTH_SEED=\(seed)")
        return seed
    }()
}
