/// The archives that are understood. Nothing else of libarchive is switched on.
package enum ArchiveFormat: String, Sendable, Hashable, CaseIterable, CustomStringConvertible {
    case zip
    case tar
    case tarGzip = "tar.gz"
    case tarZstd = "tar.zst"

    package var description: String { rawValue }

    /// By the first bytes of a file (262 are enough): the magic numbers of zip's headers, RFC 1952, RFC 8878 and ustar.
    package init?(magic bytes: [UInt8]) {
        if bytes.starts(with: [0x50, 0x4b, 3, 4]) || bytes.starts(with: [0x50, 0x4b, 5, 6]) {
            self = .zip
        } else if bytes.starts(with: [0x1f, 0x8b]) {
            self = .tarGzip
        } else if bytes.starts(with: [0x28, 0xb5, 0x2f, 0xfd]) {
            self = .tarZstd
        } else if bytes.count >= 262, bytes[257..<262].elementsEqual("ustar".utf8) {
            self = .tar
        } else {
            return nil
        }
    }
}
