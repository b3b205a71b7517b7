import Glibc
import Linux
package import Sandbox

/// What a test could not set up or did not get in time.
package struct TestFailure: Error, CustomStringConvertible {
    package let description: String
    package init(_ description: String) { self.description = description }
}

/// The nursery that was built beside these tests, and the files of the repository.
package enum TestFiles {
    /// HEARTH_NURSERY, or `hearth-nursery` in the directory of the test bundle.
    package static func nursery() throws -> String {
        if let path = getenv("HEARTH_NURSERY") { return String(cString: path) }
        var places = CommandLine.arguments
        places.append(try link("/proc/self/exe"))
        // The bundle is mapped into the test runner, which may itself be a program of the toolchain.
        places += try Files.readText("/proc/self/maps", limit: 64 << 20).split(separator: "\n").compactMap {
            $0.hasSuffix(".xctest") ? $0.split(separator: " ").last.map(String.init) : nil
        }
        for place in places {
            guard let slash = place.lastIndex(of: "/") else { continue }
            let candidate = place[..<slash] + "/hearth-nursery"
            if Files.exists(String(candidate)) { return String(candidate) }
        }
        throw TestFailure("no hearth-nursery beside the tests: build it, or set HEARTH_NURSERY")
    }

    /// A file of the repository, found from this source file's own place.
    package static func repository(_ path: String, file: StaticString = #filePath) throws -> String {
        guard let real = realpath("\(file)", nil) else { throw Errno.current }
        defer { free(real) }
        // Below Tests, however deep.
        let all = String(cString: real).split(separator: "/")
        let parts = all.prefix(upTo: all.lastIndex(of: "Tests") ?? all.endIndex)
        return "/" + parts.joined(separator: "/") + "/" + path
    }

    package static func link(_ path: String) throws -> String {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = readlink(path, &buffer, 4096)
        guard count >= 0 else { throw Errno.current }
        return String(decoding: buffer[..<count], as: UTF8.self)
    }

    package static func defaultProfile() throws -> SeccompProfile {
        let path = try repository("rootfs-tools/seccomp/default.profile")
        return try SeccompProfile(parsing: try Files.readText(path), name: "default.profile")
    }

    package static func temporaryDirectory() throws -> String {
        var template = Array("/tmp/hearth-test-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw Errno.current }
        // Readable to the sandbox's ids, which are "others" here.
        guard chmod(template, 0o755) == 0 else { throw Errno.current }
        return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
