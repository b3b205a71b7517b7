/// A ustar archive written byte by byte (POSIX.1-1988), so that it can hold what no tool would write.
struct TarBytes {
    struct Entry {
        var name: String
        var data: [UInt8] = []
        var mode: UInt32 = 0o644
        /// '0' file, '1' hard link, '2' symbolic link, '3' and '4' devices, '5' directory, '6' pipe.
        var type: Character = "0"
        var target = ""
    }

    static func file(_ name: String, _ text: String = "x", mode: UInt32 = 0o644) -> Entry {
        Entry(name: name, data: Array(text.utf8), mode: mode)
    }

    static func directory(_ name: String, mode: UInt32 = 0o755) -> Entry { Entry(name: name, mode: mode, type: "5") }

    static func link(_ name: String, to target: String) -> Entry {
        Entry(name: name, mode: 0o777, type: "2", target: target)
    }

    static func hardLink(_ name: String, to target: String) -> Entry { Entry(name: name, type: "1", target: target) }

    static func pack(_ entries: [Entry], ended: Bool = true) -> [UInt8] {
        var archive: [UInt8] = []
        for entry in entries {
            var header = [UInt8](repeating: 0, count: 512)
            func put(_ text: String, at offset: Int) {
                for (index, byte) in text.utf8.enumerated() { header[offset + index] = byte }
            }
            func octal(_ value: Int, _ digits: Int) -> String {
                let text = String(value, radix: 8)
                return String(repeating: "0", count: digits - text.count) + text
            }
            put(entry.name, at: 0)
            put(octal(Int(entry.mode), 7), at: 100)
            put(octal(0, 7), at: 108)
            put(octal(0, 7), at: 116)
            put(octal(entry.data.count, 11), at: 124)
            put(octal(1_700_000_000, 11), at: 136)
            put("        ", at: 148)
            put(String(entry.type), at: 156)
            put(entry.target, at: 157)
            put("ustar\u{0}00", at: 257)
            put(octal(header.reduce(0) { $0 + Int($1) }, 6) + "\u{0} ", at: 148)
            archive += header + entry.data
            archive += [UInt8](repeating: 0, count: (512 - entry.data.count % 512) % 512)
        }
        return archive + [UInt8](repeating: 0, count: ended ? 1024 : 0)
    }
}
