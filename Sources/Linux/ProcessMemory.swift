import Glibc

/// What this process keeps in memory.
package enum ProcessMemory {
    /// Unmaps the pages of program text: those that are needed come back from the page cache at their next use, with a minor fault for
    /// each 64 KiB. What a start runs through once (migrations, the configuration, registrations) would stay mapped for good.
    ///
    /// Only executable mappings are let go: they are never written, while a read-only one may hold relocations.
    /// - Returns: bytes of address space that were let go; 0 where /proc cannot be read.
    @discardableResult
    package static func releaseCode() -> Int {
        guard let maps = try? Files.readText("/proc/self/maps", limit: 16 << 20) else { return 0 }
        var released = 0
        for line in maps.split(separator: "\n") {
            // 7f8d6c882000-7f8d6c886000 r-xp 00001000 fe:00 5310720   /usr/lib/...
            let fields = line.split(separator: " ", omittingEmptySubsequences: true)
            guard fields.count >= 6, fields[1] == "r-xp", fields[5].hasPrefix("/") else { continue }
            let range = fields[0].split(separator: "-").compactMap { UInt($0, radix: 16) }
            guard range.count == 2, range[1] > range[0] else { continue }
            let length = Int(range[1] - range[0])
            // The kernel itself said that the range is a mapping of this process.
            if madvise(UnsafeMutableRawPointer(bitPattern: range[0]), length, MADV_DONTNEED) == 0 { released += length }
        }
        return released
    }
}
