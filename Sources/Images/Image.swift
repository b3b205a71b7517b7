/// A root file system in the store.
package struct Image: Sendable, Hashable, Codable {
    package enum Kind: String, Sendable, Hashable, Codable {
        /// The node's own /usr, mounted by the nursery over this image's empty one.
        case host
        /// A copy of a directory, or of an archive's content.
        case directory
    }

    /// What a user calls it.
    package let name: String
    /// The one path component beneath the images directory that the nursery is given.
    package let directory: String
    /// SHA-256 of its content, 64 hexadecimal digits.
    package let digest: String
    package let kind: Kind
    /// Regular files together.
    package let bytes: Int64
    /// Files, directories and links.
    package let entries: Int
    /// Devices, sockets and pipes of the source that were left out.
    package let skipped: Int
    /// When it was stored, in seconds since 1970.
    package let created: Int64
    /// What a user should know about it: one sentence each.
    package let notes: [String]
}

extension Image {
    /// The built-in image's name.
    package static let hostName = "host"

    /// Whether a user may give an image this name.
    package static func isValidName(_ name: String) -> Bool {
        let bytes = Array(name.utf8)
        let isAlphanumeric: (UInt8) -> Bool = { (0x61...0x7a).contains($0) || (0x30...0x39).contains($0) }
        guard let first = bytes.first, bytes.count <= 63, isAlphanumeric(first) else { return false }
        guard bytes.allSatisfy({ isAlphanumeric($0) || ".-_".utf8.contains($0) }) else { return false }
        return name != hostName && !name.hasPrefix(hostName + "-")
    }
}
