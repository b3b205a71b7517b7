import Linux
import SandboxTestSupport
import Testing

extension EscapeTests {
    /// The table of SECURITY.md speaks of tests that exist.
    @Suite struct SecurityPage {
        @Test func everyTestOfTheTableExists() throws {
            let page = try Files.readText(try TestFiles.repository("SECURITY.md"))
            let table = try #require(page.split(separator: "## Attacks, defences, tests").dropFirst().first)
            var named: Set<Substring> = []
            for row in table.split(separator: "\n") where row.hasPrefix("| ") {
                let cells = row.split(separator: "|")
                try #require(cells.count == 3, "\(row)")
                let tests = cells[2].split(separator: "`").enumerated().filter { $0.offset % 2 == 1 }.map(\.element)
                if cells[0] == " attack " { continue }
                #expect(!tests.isEmpty, "no test for: \(row)")
                named.formUnion(tests)
            }
            #expect(named.count > 30)
            let known = try Self.tests()
            for test in named.sorted() { #expect(known.contains(test), "no test function \(test)") }
            // And the other way round: no attack is left out of the table.
            for (test, file) in try Self.tests(in: "EscapeTests") where !named.contains(test) {
                #expect(file == "SecurityPageTests.swift", "\(test) of \(file) is not in the table")
            }
        }

        private static func tests() throws -> Set<Substring> {
            var found: Set<Substring> = []
            for target in try Files.list(try TestFiles.repository("Tests")) where target.hasSuffix("Tests") {
                found.formUnion(try tests(in: target).keys)
            }
            return found
        }

        /// Functions that follow `@Test`, by name, with their file.
        private static func tests(in target: String) throws -> [Substring: String] {
            let directory = try TestFiles.repository("Tests/" + target)
            var found: [Substring: String] = [:]
            for file in try Files.list(directory) where file.hasSuffix(".swift") {
                let text = try Files.readText(directory + "/" + file)
                for piece in text.split(separator: "@Test").dropFirst() {
                    guard let start = piece.range(of: "func ") else { continue }
                    found[piece[start.upperBound...].prefix { $0.isLetter || $0.isNumber }] = file
                }
            }
            return found
        }
    }
}

extension Substring {
    /// The first place of a text.
    fileprivate func range(of text: String) -> Range<Index>? {
        var start = startIndex
        while start < endIndex {
            if self[start...].hasPrefix(text) { return start..<index(start, offsetBy: text.count) }
            start = index(after: start)
        }
        return nil
    }
}
