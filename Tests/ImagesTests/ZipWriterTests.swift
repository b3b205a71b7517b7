import Glibc
import Linux
import Testing

@testable import Images

@Suite struct ZipWriterTests {
    func pack(_ directory: TemporaryDirectory, _ source: String = "src", to name: String = "a.zip") throws -> [UInt8] {
        let file = directory.path + "/" + name
        let zip = try Files.open(file, flags: O_RDWR | O_CREAT | O_TRUNC, mode: 0o600)
        try ZipWriter.pack(directory: directory.path + "/" + source, to: zip)
        return try Files.read(file, limit: 64 << 20)
    }

    @Test func anotherReaderSeesTheSame() throws {
        let directory = try TemporaryDirectory()
        try directory.write(String(repeating: "compressible ", count: 1000), to: "src/lib/big.txt")
        try directory.write("#!/bin/sh\n", to: "src/run", mode: 0o755)
        try directory.write("", to: "src/empty/ünïcode")
        try directory.link("src/link", to: "lib/big.txt")
        let bytes = try pack(directory)
        #expect(bytes.count < 2000)
        // Python's zipfile checks every CRC, and knows names, modes and links by itself.
        let script = """
            import sys, zipfile
            z = zipfile.ZipFile(sys.argv[1])
            assert z.testzip() is None
            modes = {i.filename: oct(i.external_attr >> 16) for i in z.infolist()}
            assert modes == {'empty/': '0o40755', 'empty/ünïcode': '0o100644', 'lib/': '0o40755',
                'lib/big.txt': '0o100644', 'link': '0o120777', 'run': '0o100755'}, modes
            assert z.read('link') == b'lib/big.txt'
            assert z.read('lib/big.txt') == b'compressible ' * 1000
            """
        let python = try Linux.Process.spawn(
            ["/usr/bin/python3", "-c", script, directory.path + "/a.zip"],
            environment: ["PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8"], descriptors: [0, 1, 2])
        #expect(try python.wait(timeout: 60_000_000_000) == .status(0))
    }

    @Test func sameContentSameBytes() throws {
        let directory = try TemporaryDirectory()
        try directory.write("1", to: "src/a", mode: 0o600)
        try directory.write("2", to: "src/d/b")
        let first = try pack(directory)
        try directory.write("2", to: "copy/d/b")
        try directory.write("1", to: "copy/a", mode: 0o664)
        #expect(try pack(directory, "copy") == first)
    }

    @Test func emptyDirectory() throws {
        let directory = try TemporaryDirectory()
        let store = try directory.codeStore()
        try Files.makeDirectories(directory.path + "/src")
        _ = try pack(directory)
        let tree = try store.importArchive(path: directory.path + "/a.zip", format: .zip)
        #expect(try tree == store.emptyTree())
    }

    @Test func refusesWhatTheStoreWouldRefuse() throws {
        let directory = try TemporaryDirectory()
        let cases: [(String, EntryFault, (String) throws -> Void)] = [
            ("pipe", .special("named pipe"), { try #require(mkfifo($0, 0o600) == 0) }),
            ("link", .linkLeaves(target: "../../x"), { try Files.makeLink($0, in: AT_FDCWD, target: "../../x") }),
            ("abs", .linkLeaves(target: "/etc/x"), { try Files.makeLink($0, in: AT_FDCWD, target: "/etc/x") }),
            ("a\nb", .controlCharacter, { try Files.write([], to: $0) }),
            ("a\\b", .backslash, { try Files.write([], to: $0) }),
        ]
        for (name, fault, make) in cases {
            try Files.removeTree(directory.path + "/src")
            try directory.write("x", to: "src/d/good")
            try directory.link("src/d/fine", to: "../d/good")
            try make(directory.path + "/src/d/" + name)
            let error = refusal { _ = try pack(directory) }
            #expect(error == .entry(printable("d/\(name)".utf8), fault))
        }
    }
}
