import Glibc
import Linux

/// A strict look at a zip archive's central directory (APPNOTE.TXT 6.3, section 4.3) before libarchive reads it.
///
/// It closes the gaps through which two readers see two different archives: bytes before or after, headers that
/// contradict each other, names that end at a zero byte for one reader and go on for the other.
struct ZipDirectory {
    private static let endLength = 22
    private static let headerLength = 46
    private static let localLength = 30

    private let fd: Int32
    private(set) var count = 0

    /// - Throws: the first thing that is not as it should be.
    init(checking fd: Int32) throws(ImageError) {
        self.fd = fd
        let size = try storing("reading the archive") { () throws(Errno) in try Files.status(of: fd).size }
        // The end record is followed by a comment of at most 65,535 bytes.
        let tail = try read(at: max(0, size - 65_535 - Int64(Self.endLength)), count: 65_535 + Self.endLength)
        guard let position = Self.lastEnd(in: tail) else {
            throw .archive(.zip, "it has no end record, so it is no zip archive or was cut short")
        }
        let end = Array(tail[position...])
        let start = Int64(end.little32(16))
        let length = Int(end.little32(12))
        count = Int(end.little16(10))
        guard Int(end.little16(20)) == end.count - Self.endLength else {
            throw .archive(.zip, "bytes follow its end record")
        }
        guard count < 0xffff, start < 0xffff_ffff else {
            throw .archive(.zip, "it has 65,535 entries or 4 GiB, or more; for so much use tar.gz")
        }
        guard end.little32(4) == 0, Int(end.little16(8)) == count,
            start + Int64(length) == size - Int64(end.count)
        else { throw .archive(.zip, "its end record does not fit the file") }
        try check(try read(at: start, count: length))
    }

    private func check(_ directory: [UInt8]) throws(ImageError) {
        var position = 0
        for _ in 0..<count {
            guard directory.count - position >= Self.headerLength,
                directory.little32(position) == 0x0201_4b50
            else { throw .archive(.zip, "its directory is damaged") }
            let nameLength = Int(directory.little16(position + 28))
            let next =
                position + Self.headerLength + nameLength + Int(directory.little16(position + 30))
                + Int(directory.little16(position + 32))
            guard next <= directory.count else { throw .archive(.zip, "its directory is damaged") }
            let name = Array(directory[(position + Self.headerLength)...].prefix(nameLength))
            if name.contains(0) { throw .entry(printable(name), .controlCharacter) }
            // libarchive would stop at it without telling which it was.
            if String(validating: name, as: UTF8.self) == nil { throw .entry(printable(name), .notUnicode) }
            try checkLocal(name, at: Int64(directory.little32(position + 42)))
            position = next
        }
        guard position == directory.count else { throw .archive(.zip, "its directory is longer than its entries") }
    }

    private func checkLocal(_ name: [UInt8], at offset: Int64) throws(ImageError) {
        let header = try read(at: offset, count: Self.localLength + name.count)
        guard header.count == Self.localLength + name.count, header.little32(0) == 0x0403_4b50,
            Int(header.little16(26)) == name.count, header[Self.localLength...].elementsEqual(name)
        else { throw .entry(printable(name), .damaged("its two headers differ")) }
    }

    private func read(at offset: Int64, count: Int) throws(ImageError) -> [UInt8] {
        // A forged length must not become an allocation: a directory of 65,534 entries with long names fits.
        guard count <= 64 << 20 else { throw .archive(.zip, "its directory is larger than 64 MiB") }
        var bytes = [UInt8](repeating: 0, count: count)
        let got = try storing("reading the archive") { () throws(Errno) in
            try systemCall { bytes.withUnsafeMutableBytes { pread(fd, $0.baseAddress, $0.count, Int(offset)) } }
        }
        return Array(bytes[..<got])
    }

    private static func lastEnd(in tail: [UInt8]) -> Int? {
        guard tail.count >= endLength else { return nil }
        return stride(from: tail.count - endLength, through: 0, by: -1).first { tail.little32($0) == 0x0605_4b50 }
    }
}

extension [UInt8] {
    /// Little-endian numbers; the caller has checked that the bytes are there.
    fileprivate func little16(_ offset: Int) -> UInt16 {
        UInt16(self[offset]) | UInt16(self[offset + 1]) << 8
    }

    fileprivate func little32(_ offset: Int) -> UInt32 {
        UInt32(little16(offset)) | UInt32(little16(offset + 2)) << 16
    }
}
