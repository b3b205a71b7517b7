import Glibc
import Linux
import Testing

@testable import Images

/// Archives made to do harm. Each must be refused with its entry's name, write nothing outside and leave nothing.
@Suite struct HostileArchiveTests {
    let directory: TemporaryDirectory
    let store: CodeStore

    init() throws {
        directory = try TemporaryDirectory()
        store = try directory.codeStore()
        try directory.write("canary", to: "outside/canary")
    }

    /// Imports `bytes`, which has to be refused, and checks that nothing has changed.
    func refusal(
        of bytes: [UInt8], _ format: ArchiveFormat = .zip, limits: TreeLimits? = nil,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> ImageError? {
        let file = try directory.write(bytes, to: "hostile")
        let before = try directory.everything()
        let store = CodeStore(root: store.root, limits: limits ?? .code)
        let error = ImagesTests.refusal(
            { _ = try store.importArchive(path: file, format: format) }, sourceLocation: sourceLocation)
        #expect(try directory.everything() == before, sourceLocation: sourceLocation)
        #expect(try Files.readText(directory.path + "/outside/canary") == "canary", sourceLocation: sourceLocation)
        return error
    }

    @Test(arguments: [
        ("../outside/x", EntryFault.parentReference), ("a/../../x", .parentReference), ("a/..", .parentReference),
        ("/etc/x", .absolute), ("x/a\\b", .backslash), ("a\nb", .controlCharacter), ("a\u{1b}[2J", .controlCharacter),
        ("a\u{7f}", .controlCharacter), ("a\u{85}", .controlCharacter), ("", .emptyName),
        (String(repeating: "n", count: 256), .nameTooLong(limit: 255)),
        (String(repeating: "d/", count: 65) + "f", .tooDeep(limit: 64)),
        (String(repeating: String(repeating: "p", count: 200) + "/", count: 11) + "f", .pathTooLong(limit: 2048)),
    ])
    func names(_ name: String, _ fault: EntryFault) throws {
        let error = try refusal(of: ZipBytes.pack([ZipBytes.file("good"), ZipBytes.file(name)]))
        guard case .entry(let reported, let found)? = error else {
            // libarchive itself turns an entry without a name away.
            guard name.isEmpty, case .archive? = error else {
                Issue.record("\(String(describing: error))")
                return
            }
            return
        }
        #expect(found == fault)
        #expect(reported == printable(name.utf8))
        let message = "\(ImageError.entry(reported, found))"
        #expect(message.unicodeScalars.allSatisfy { $0.properties.generalCategory != .control })
    }

    @Test func tarNames() throws {
        for (name, fault) in [
            ("../x", EntryFault.parentReference), ("/x", .absolute), ("a\\b", .backslash), ("a\tb", .controlCharacter),
        ] {
            #expect(try refusal(of: TarBytes.pack([TarBytes.file(name)]), .tar) == .entry(printable(name.utf8), fault))
        }
    }

    @Test func notUnicode() throws {
        for flags: UInt16 in [0, 0x800] {
            let entry = ZipBytes.Entry(name: [0x61, 0xff, 0xfe], data: [1], flags: flags)
            #expect(try refusal(of: ZipBytes.pack([entry])) == .entry(printable(entry.name), .notUnicode))
        }
    }

    @Test func zeroByteInAName() throws {
        for name in ["a\0b", "\0", "good\0/../../x"] {
            let error = try refusal(of: ZipBytes.pack([ZipBytes.file("ok"), ZipBytes.file(name)]))
            #expect(error != nil, "\(printable(name.utf8))")
        }
    }

    @Test func headersThatContradictEachOther() throws {
        var entry = ZipBytes.file("evil")
        entry.centralName = Array("good".utf8)
        #expect(try refusal(of: ZipBytes.pack([entry])) != nil)
    }

    @Test(arguments: [
        "/etc/passwd", "..", "../outside", "a/../../x", "./../x", "up/..", "deep/up/../../x", "//x",
    ])
    func linksThatLeave(_ target: String) throws {
        // `up` is the root: through it, one more ".." is outside, though the text does not show it.
        let entries = [
            ZipBytes.file("deep/file"), ZipBytes.link("deep/up", to: ".."), ZipBytes.link("up", to: "deep/.."),
            ZipBytes.link("bad", to: target),
        ]
        let error = try refusal(of: ZipBytes.pack(entries))
        #expect(error == .entry("bad", .linkLeaves(target: target)))
    }

    @Test func innerLinksAreKept() throws {
        let entries = [
            ZipBytes.file("deep/file"), ZipBytes.link("deep/up", to: "../deep/file"), ZipBytes.link("a", to: "b"),
            ZipBytes.link("b", to: "a"), ZipBytes.link("dangling", to: "deep/none"), ZipBytes.link("dot", to: "."),
        ]
        let file = try directory.write(ZipBytes.pack(entries), to: "a.zip")
        let tree = try store.importArchive(path: file, format: .zip)
        #expect(tree.entries == 7)
        #expect(try Files.linkTarget(store.path(of: tree.digest) + "/deep/up") == Array("../deep/file".utf8))
    }

    @Test func writingThroughALink() throws {
        for target in [".", "d", directory.path + "/outside", "../../outside"] {
            let entries = [
                ZipBytes.file("d/x"), ZipBytes.link("l", to: target), ZipBytes.file("l/canary", "overwritten"),
            ]
            #expect(try refusal(of: ZipBytes.pack(entries)) != nil)
            let tar = [
                TarBytes.directory("d"), TarBytes.link("l", to: target), TarBytes.file("l/canary", "overwritten"),
            ]
            #expect(try refusal(of: TarBytes.pack(tar), .tar) != nil)
        }
        let inner = [ZipBytes.file("d/x"), ZipBytes.link("l", to: "d"), ZipBytes.file("l/y")]
        #expect(try refusal(of: ZipBytes.pack(inner)) == .entry("l/y", .notInDirectory("l")))
    }

    @Test func hardLinks() throws {
        for target in ["/etc/passwd", "../outside/canary", "later", "d", "l"] {
            let entries = [
                TarBytes.directory("d"), TarBytes.link("l", to: "f"), TarBytes.file("f"),
                TarBytes.hardLink("h", to: target), TarBytes.file("later"),
            ]
            #expect(try refusal(of: TarBytes.pack(entries), .tar) == .entry("h", .hardLink(target: target)))
        }
        let entries = [TarBytes.file("d/f", "same"), TarBytes.hardLink("h", to: "d/f")]
        let file = try directory.write(TarBytes.pack(entries), to: "h.tar")
        let linked = try store.importArchive(path: file, format: .tar)
        let plain = try directory.write(
            ZipBytes.pack([ZipBytes.file("d/f", "same"), ZipBytes.file("h", "same")]), to: "h.zip")
        #expect(try store.importArchive(path: plain, format: .zip) == linked)
    }

    @Test func specialFiles() throws {
        for (type, kind) in [("3", "device"), ("4", "device"), ("6", "named pipe")] {
            let entry = TarBytes.Entry(name: "dev", type: Character(type))
            #expect(try refusal(of: TarBytes.pack([entry]), .tar) == .entry("dev", .special(kind)))
        }
        for mode: UInt32 in [0o020666, 0o060666, 0o140666] {
            let error = try refusal(of: ZipBytes.pack([ZipBytes.file("dev", "", mode: mode)]))
            guard case .entry("dev", .special)? = error else {
                Issue.record("\(mode) \(String(describing: error))")
                continue
            }
        }
    }

    @Test func duplicates() throws {
        for second in [ZipBytes.file("a", "2"), ZipBytes.link("a", to: "b"), ZipBytes.file("./a"), ZipBytes.file("a/")]
        {
            let error = try refusal(of: ZipBytes.pack([ZipBytes.file("a", "1"), second]))
            #expect(error == .entry("a", .duplicate))
        }
        #expect(
            try refusal(of: ZipBytes.pack([ZipBytes.file("a/b"), ZipBytes.file("a", "2")])) == .entry("a", .duplicate))
        // Twice the same directory hides nothing.
        let file = try directory.write(
            TarBytes.pack([TarBytes.directory("./"), TarBytes.directory("d/"), TarBytes.directory("./d")]), to: "d.tar")
        #expect(try store.importArchive(path: file, format: .tar).entries == 1)
    }

    @Test func tooMuch() throws {
        let limits = TreeLimits(bytes: 1000, entries: 10)
        let many = (0..<11).map { ZipBytes.file("\($0)") }
        #expect(try refusal(of: ZipBytes.pack(many), limits: limits) == .tooManyEntries(limit: 10))
        #expect(
            try refusal(of: ZipBytes.pack([ZipBytes.file("a/b/c/d/e/f/g/h/i/j/k")]), limits: limits)
                == .tooManyEntries(limit: 10))
        let repeated = (0..<25).map { _ in TarBytes.directory("d") }
        #expect(try refusal(of: TarBytes.pack(repeated), .tar, limits: limits) == .tooManyEntries(limit: 10))
        let big = [ZipBytes.file("a", String(repeating: "x", count: 600))]
        let more = [ZipBytes.file("b", String(repeating: "y", count: 401))]
        #expect(
            try refusal(of: ZipBytes.pack(big + more), limits: limits) == .tooManyBytes(limit: 1000))
    }

    @Test func bombStopsEarly() throws {
        // 256 MiB of zeros in a quarter of a megabyte.
        try Files.makeDirectories(directory.path + "/bomb")
        let fd = try Files.open(directory.path + "/bomb/zeros", flags: O_WRONLY | O_CREAT, mode: 0o644)
        try #require(ftruncate(fd.rawValue, 256 << 20) == 0)
        let zip = try Files.open(directory.path + "/bomb.zip", flags: O_RDWR | O_CREAT, mode: 0o600)
        try ZipWriter.pack(directory: directory.path + "/bomb", to: zip)
        var bytes = try Files.read(directory.path + "/bomb.zip", limit: 1 << 20)
        let limits = TreeLimits(bytes: 1 << 20, entries: 10)
        #expect(try refusal(of: bytes, limits: limits) == .tooManyBytes(limit: 1 << 20))
        // The same with headers that claim ten bytes.
        let size: [UInt8] = [0, 0, 0, 0x10]
        var patched = 0
        for index in 0..<(bytes.count - 4) where Array(bytes[index..<(index + 4)]) == size {
            bytes.replaceSubrange(index..<(index + 4), with: [10, 0, 0, 0])
            patched += 1
        }
        #expect(patched > 0)
        // Only counting what really comes out stops this one.
        #expect(try refusal(of: bytes, limits: limits) == .tooManyBytes(limit: 1 << 20))
    }

    @Test func sparseTarBomb() throws {
        // A GNU sparse file: one terabyte in one block.
        let path = directory.path + "/sparse"
        try Files.makeDirectories(path)
        let fd = try Files.open(path + "/hole", flags: O_WRONLY | O_CREAT, mode: 0o644)
        try #require(ftruncate(fd.rawValue, 1 << 40) == 0)
        let arguments = ["/bin/sh", "-c", "tar -cSf '\(path).tar' -C '\(path)' ."]
        let tar = try Linux.Process.spawn(arguments, environment: ["PATH=/usr/bin:/bin"], descriptors: [0, 1, 2])
        try #require(try tar.wait(timeout: 60_000_000_000) == .status(0))
        let bytes = try Files.read(path + ".tar")
        #expect(try refusal(of: bytes, .tar) == .tooManyBytes(limit: TreeLimits.code.bytes))
    }

    @Test func encrypted() throws {
        var entry = ZipBytes.file("secret", "0123456789ab and more")
        entry.flags = 0x801
        #expect(try refusal(of: ZipBytes.pack([entry])) == .entry("secret", .encrypted))
    }

    @Test func notTheFormat() throws {
        for format in ArchiveFormat.allCases {
            for bytes in [[], Array("hello, this is no archive".utf8), [UInt8](repeating: 0xff, count: 5000)] {
                guard case .archive(let named, _)? = try refusal(of: bytes, format) else {
                    Issue.record("\(format) took \(bytes.count) bytes")
                    continue
                }
                #expect(named == format)
            }
        }
        // One format's archive is none of another's.
        #expect(try refusal(of: TarBytes.pack([TarBytes.file("a")]), .zip) != nil)
        #expect(try refusal(of: ZipBytes.pack([ZipBytes.file("a")]), .tar) != nil)
    }
}
