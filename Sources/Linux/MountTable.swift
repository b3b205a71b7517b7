/// The mounts of this process (proc_pid_mountinfo(5)).
package struct MountTable: Sendable {
    package struct Entry: Sendable, Hashable {
        package let mountPoint: String
        package let root: String
        package let fileSystem: String
        package let source: String
        package let options: [Substring]
    }

    package let entries: [Entry]

    package static func current() throws(Errno) -> MountTable {
        MountTable(parsing: try Files.readText("/proc/self/mountinfo", limit: 16 << 20))
    }

    /// Lines that do not look like mountinfo are passed over.
    package init(parsing text: String) {
        entries = text.split(separator: "\n").compactMap { line in
            let fields = line.split(separator: " ")
            guard let separator = fields.firstIndex(of: "-"), separator >= 6, fields.count > separator + 2 else {
                return nil
            }
            return Entry(
                mountPoint: Self.unescape(fields[4]), root: Self.unescape(fields[3]),
                fileSystem: String(fields[separator + 1]), source: Self.unescape(fields[separator + 2]),
                options: fields[5].split(separator: ","))
        }
    }

    /// Space, tab, newline and backslash are written as three octal digits.
    static func unescape(_ field: Substring) -> String {
        var bytes: [UInt8] = []
        let utf8 = Array(field.utf8)
        var index = 0
        while index < utf8.count {
            if utf8[index] == UInt8(ascii: "\\"), index + 3 < utf8.count,
                let value = UInt8(String(decoding: utf8[(index + 1)...(index + 3)], as: UTF8.self), radix: 8)
            {
                bytes.append(value)
                index += 4
            } else {
                bytes.append(utf8[index])
                index += 1
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
