import Glibc
import Linux

/// A directory of our own that is gone when its owner is.
struct TemporaryDirectory: ~Copyable {
    let path: String

    /// - Parameter prefix: the name's beginning; six characters of mkdtemp(3) follow.
    init(prefix: String) throws(BenchError) {
        let parent = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        var template = Array("\(parent)/\(prefix).XXXXXX".utf8CString)
        if mkdtemp(&template) == nil {
            throw .system(what: "making a directory in \(parent)", Errno.current)
        }
        path = template.withUnsafeBufferPointer { $0.baseAddress.map { String(cString: $0) } ?? "" }
        // A sandbox whose root is a host id of its own range must be able to walk through it.
        chmod(path, 0o755)
    }

    deinit {
        try? Files.removeTree(path)
    }
}
