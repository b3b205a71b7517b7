import Glibc
import Linux

/// What was built beside these tests, and the files of the repository.
package enum BuildProducts {
    /// An executable: in HEARTH_BIN, else in the directory of the test bundle.
    package static func executable(_ name: String) throws -> String {
        if let directory = getenv("HEARTH_BIN") { return String(cString: directory) + "/" + name }
        // The bundle is the test program itself, or mapped into a program of the toolchain.
        var places = CommandLine.arguments + [try link("/proc/self/exe")]
        places += try Files.readText("/proc/self/maps", limit: 64 << 20).split(separator: "\n").compactMap {
            $0.hasSuffix(".xctest") ? $0.split(separator: " ").last.map(String.init) : nil
        }
        for place in places {
            guard let slash = place.lastIndex(of: "/") else { continue }
            let candidate = String(place[..<slash]) + "/" + name
            if Files.exists(candidate) { return candidate }
        }
        throw TestFailure("no \(name) beside the tests: build it, or set HEARTH_BIN to the directory that has it")
    }

    /// A file of the repository, found from this source file's own place.
    package static func repository(_ path: String) throws -> String {
        guard let real = realpath(#filePath, nil) else { throw Errno.current }
        defer { free(real) }
        let parts = String(cString: real).split(separator: "/").dropLast(4)
        return "/" + parts.joined(separator: "/") + "/" + path
    }

    private static func link(_ path: String) throws -> String {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = readlink(path, &buffer, 4096)
        guard count >= 0 else { throw Errno.current }
        return String(decoding: buffer[..<count], as: UTF8.self)
    }
}
