import AgentTestSupport
import Foundation
import Glibc
import HearthClient
import Linux
import Testing
import Wire

extension AgentTests {
    /// A state directory on a file system that is full.
    @Suite @TestThread
    struct FullDiskTests {
        @Test func uploadsToAFullDisk() throws {
            let scratch = try ScratchDirectory()
            let state = scratch.path + "/state"
            try Files.makeDirectories(state)
            let mounted = try Command.run(["/bin/mount", "-t", "tmpfs", "-o", "size=8m,mode=700", "hearth-test", state])
            try #require(mounted.status == 0, "\(mounted.errors)")
            defer { umount2(state, Int32(MNT_DETACH)) }
            let agent = try TestAgent(scratch: scratch)
            let client = try agent.client()
            try client.put("small", .python, files: PythonKit.files)
            _ = try client.invoke("small", "{}")
            let before = try NodeCount.atRest(agent)
            let free = try freeBytes(state)

            // Stored, not deflated: it is as large as it looks.
            let large = ZipBytes.pack([ZipBytes.Entry(name: Array("data".utf8), data: noise(12 << 20))])
            let error = try refusal { try client.put("large", archive: large) }
            #expect(error.code == .resourceExhausted, "\(error.message)")
            #expect(error.message.contains("large"), "\(error.message)")
            #expect(error.retryable)
            #expect(!error.remedy.isEmpty)
            var image = HearthImportImageRequest()
            image.name = "large"
            image.format = .tar
            image.size = UInt64(large.count)
            let refused = try refusal { try client.importImage(image, archive: .bytes(large), options: .patient) }
            #expect(refused.code == .resourceExhausted, "\(refused.message)")

            // What runs goes on, and the space is there again.
            let answer = try client.invoke("small", "{\"do\":\"count\"}")
            #expect(answer.outcome == .ok, "\(answer.summary)")
            try eventually("the space is free again") { try freeBytes(state) >= free - (256 << 10) }
            try client.put("fits", .python, files: ["app.py": "def handler(e, c): return 'fits'\n"])
            #expect(try client.invoke("fits", "{}").text == "\"fits\"")
            _ = try client.deleteFunction("fits")
            var expected = before
            expected.codeTrees += 1
            let after = try agent.settled(expected)
            #expect(after == expected, "before: \(before); after: \(after)")
            let problems = agent.stop()
            #expect(problems.isEmpty, "\(problems)")
        }

        private func freeBytes(_ path: String) throws -> Int {
            var status = statvfs()
            guard statvfs(path, &status) == 0 else { throw Errno.current }
            return Int(status.f_bavail) * Int(status.f_frsize)
        }

        private func noise(_ count: Int) -> [UInt8] {
            var random = SplitMix(state: 1)
            var bytes: [UInt8] = []
            bytes.reserveCapacity(count)
            while bytes.count < count { bytes.append(UInt8(truncatingIfNeeded: random.next())) }
            return bytes
        }
    }
}
