import Linux
import Testing

@Suite struct ProcessMemoryTests {
    private func mappedCode() throws -> Int {
        var isCode = false
        var kibibytes = 0
        for line in try Files.readText("/proc/self/smaps", limit: 64 << 20).split(separator: "\n") {
            let fields = line.split(separator: " ")
            if fields.count >= 5, fields[0].contains("-") { isCode = fields[1] == "r-xp" && fields.count > 5 }
            if isCode, fields.first == "Rss:" { kibibytes += Int(fields[1]) ?? 0 }
        }
        return kibibytes
    }

    /// The pages go, those in use come back, and the program goes on.
    @Test func codeIsLetGo() throws {
        let before = try mappedCode()
        #expect(ProcessMemory.releaseCode() > 1 << 20)
        let after = try mappedCode()
        // Other suites run at the same time and take theirs back at once.
        #expect(after < before, "\(before) KiB before, \(after) after")
    }
}
