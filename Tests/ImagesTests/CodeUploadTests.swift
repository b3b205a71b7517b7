import Glibc
import Linux
import Testing

@testable import Images

@Suite struct CodeUploadTests {
    @Test func chunksOfAnySize() throws {
        let directory = try TemporaryDirectory()
        let store = try directory.codeStore()
        let bytes = ZipBytes.pack((0..<20).map { ZipBytes.file("f\($0)", "text \($0)") })
        let file = try directory.write(bytes, to: "a.zip")
        let whole = try store.importArchive(path: file, format: .zip)
        for size in [1, 7, 512, bytes.count] {
            let upload = try CodeUpload(into: store, limit: Int64(bytes.count))
            for start in stride(from: 0, to: bytes.count, by: size) {
                try upload.append(Array(bytes[start..<min(bytes.count, start + size)]))
            }
            #expect(upload.count == Int64(bytes.count))
            #expect(try upload.detectedFormat() == .zip)
            #expect(try upload.finish(format: .zip) == whole)
        }
    }

    @Test func overTheLimit() throws {
        let directory = try TemporaryDirectory()
        let store = try directory.codeStore()
        let upload = try CodeUpload(into: store, limit: 10)
        try upload.append([UInt8](repeating: 0, count: 10))
        #expect(refusal { try upload.append([0]) } == .uploadTooLarge(limit: 10))
        #expect(upload.count == 10)
        #expect(try Files.list(store.root + "/.staging").isEmpty)
    }

    @Test func nothingOpenAfterwards() throws {
        let directory = try TemporaryDirectory()
        let store = try directory.codeStore()
        let file = try directory.write(ZipBytes.pack([ZipBytes.file("a/b")]), to: "a.zip")
        func use() throws {
            let upload = try CodeUpload(into: store, limit: 1 << 20)
            try upload.append(try Files.read(file))
            _ = try upload.finish(format: .zip)
            let broken = try CodeUpload(into: store, limit: 1 << 20)
            try broken.append([1, 2, 3])
            _ = refusal { _ = try broken.finish(format: .zip) }
        }
        func openHere() throws -> [String] {
            // Other tests run beside this one: only descriptors of this test's directory count.
            try Files.list("/proc/self/fd").filter { name in
                let target = (try? Files.linkTarget("/proc/self/fd/" + name)) ?? []
                return String(decoding: target, as: UTF8.self).hasPrefix(directory.path)
            }
        }
        for _ in 0..<3 { try use() }
        #expect(try openHere().isEmpty)
    }

    @Test func formatsByTheirFirstBytes() throws {
        #expect(ArchiveFormat(magic: ZipBytes.pack([ZipBytes.file("a")])) == .zip)
        #expect(ArchiveFormat(magic: ZipBytes.pack([])) == .zip)
        #expect(ArchiveFormat(magic: TarBytes.pack([TarBytes.file("a")])) == .tar)
        #expect(ArchiveFormat(magic: [0x1f, 0x8b, 8]) == .tarGzip)
        #expect(ArchiveFormat(magic: []) == nil)
        #expect(ArchiveFormat(magic: Array("def handler(event): pass".utf8)) == nil)
    }
}
