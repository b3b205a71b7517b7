import Glibc
import Linux

/// A directory of a test's own, removed with it. Its path is short: socket paths have 107 bytes.
package final class ScratchDirectory: Sendable {
    package let path: String

    package init() throws {
        var template = Array("/tmp/hearth-agent-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw Errno.current }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit {
        try? Files.removeTree(path)
    }

    /// Writes a file, with the directories above it.
    @discardableResult
    package func write(_ text: String, to name: String, mode: UInt32 = 0o644) throws -> String {
        try write(Array(text.utf8), to: name, mode: mode)
    }

    @discardableResult
    package func write(_ bytes: [UInt8], to name: String, mode: UInt32 = 0o644) throws -> String {
        let file = path + "/" + name
        if let slash = file.lastIndex(of: "/") { try Files.makeDirectories(String(file[..<slash])) }
        try Files.write(bytes, to: file)
        guard chmod(file, mode) == 0 else { throw Errno.current }
        return file
    }
}
