import Glibc

@testable import Linux

/// A directory that goes with its owner.
final class TemporaryDirectory {
    let path: String

    init() throws {
        var template = Array("/tmp/hearth-linux-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw Errno.current }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit { try? Files.removeTree(path) }
}
