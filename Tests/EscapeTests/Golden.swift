import Glibc
import Linux
import Testing

/// Files of Tests/EscapeTests/golden. With HEARTH_GOLDEN=write they are written anew; a change of one is a change of what a sandbox is
/// trusted to be, and wants the same care as a change of the code.
enum Golden {
    static func check(_ text: String, _ name: String, sourceLocation: SourceLocation = #_sourceLocation) throws {
        if let word = getenv("HEARTH_GOLDEN"), String(cString: word) == "write" {
            try Files.write(Array(text.utf8), to: path(name))
        }
        let difference = try differences(text, name)
        guard !difference.isEmpty else { return }
        Issue.record(
            "the posture is not that of golden/\(name).txt:\n\(difference.joined(separator: "\n"))",
            sourceLocation: sourceLocation)
    }

    /// What the text has and the file has not (`+`), and the other way round (`-`), with the numbers of lines.
    static func differences(_ text: String, _ name: String) throws -> [String] {
        let before = try Files.readText(path(name)).split(separator: "\n", omittingEmptySubsequences: false)
        let after = text.split(separator: "\n", omittingEmptySubsequences: false)
        return after.difference(from: before).map { change in
            switch change {
            case .remove(let line, let text, _): "\(line + 1) - \(text)"
            case .insert(let line, let text, _): "\(line + 1) + \(text)"
            }
        }
    }

    private static func path(_ name: String) -> String { directory + "/" + name + ".txt" }

    private static var directory: String {
        guard let real = realpath(#filePath, nil) else { return "" }
        defer { free(real) }
        let path = String(cString: real)
        return path.prefix(upTo: path.lastIndex(of: "/") ?? path.endIndex) + "/golden"
    }
}
