/// A zip archive written byte by byte (APPNOTE.TXT 6.3), so that it can hold what no tool would write.
struct ZipBytes {
    struct Entry {
        var name: [UInt8]
        var data: [UInt8] = []
        /// Unix mode, with the type bits.
        var mode: UInt32 = 0o100644
        /// The name in the central directory, when it is to differ.
        var centralName: [UInt8]?
        /// The size claimed in both headers.
        var claimedSize: UInt32?
        var flags: UInt16 = 0x800
    }

    static func file(_ name: String, _ text: String = "x", mode: UInt32 = 0o100644) -> Entry {
        Entry(name: Array(name.utf8), data: Array(text.utf8), mode: mode)
    }

    static func link(_ name: String, to target: String) -> Entry {
        Entry(name: Array(name.utf8), data: Array(target.utf8), mode: 0o120777)
    }

    static func pack(_ entries: [Entry]) -> [UInt8] {
        var archive: [UInt8] = []
        var directory: [UInt8] = []
        for entry in entries {
            let offset = UInt32(archive.count)
            let size = entry.claimedSize ?? UInt32(entry.data.count)
            var common: [UInt8] = []
            common.append(little: entry.flags)
            common.append(little: UInt16(0))  // stored
            common.append(little: UInt32(0x21_0000))  // 1980-01-01
            common.append(little: crc32(entry.data))
            common.append(little: size)
            common.append(little: size)

            archive.append(little: UInt32(0x0403_4b50))
            archive.append(little: UInt16(20))
            archive += common
            archive.append(little: UInt16(entry.name.count))
            archive.append(little: UInt16(0))
            archive += entry.name + entry.data

            let name = entry.centralName ?? entry.name
            directory.append(little: UInt32(0x0201_4b50))
            directory.append(little: UInt16(0x0314))  // made on Unix
            directory.append(little: UInt16(20))
            directory += common
            directory.append(little: UInt16(name.count))
            directory += [UInt8](repeating: 0, count: 8)
            directory.append(little: entry.mode << 16)
            directory.append(little: offset)
            directory += name
        }
        let start = UInt32(archive.count)
        archive += directory
        archive.append(little: UInt32(0x0605_4b50))
        archive += [0, 0, 0, 0]
        archive.append(little: UInt16(entries.count))
        archive.append(little: UInt16(entries.count))
        archive.append(little: UInt32(directory.count))
        archive.append(little: start)
        archive.append(little: UInt16(0))
        return archive
    }

    private static func crc32(_ bytes: [UInt8]) -> UInt32 {
        var crc: UInt32 = 0xffff_ffff
        for byte in bytes {
            crc ^= UInt32(byte)
            for _ in 0..<8 { crc = crc & 1 == 1 ? crc >> 1 ^ 0xedb8_8320 : crc >> 1 }
        }
        return ~crc
    }
}

extension [UInt8] {
    mutating func append<Value: FixedWidthInteger>(little value: Value) {
        for shift in stride(from: 0, to: Value.bitWidth, by: 8) { append(UInt8(truncatingIfNeeded: value >> shift)) }
    }
}
