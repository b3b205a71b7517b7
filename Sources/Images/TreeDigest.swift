/// The name of a tree of files: SHA-256 over its canonical manifest, 64 lower-case hexadecimal digits.
///
/// It is a directory name in the stores, and the one path component that the nursery is asked to mount.
package struct TreeDigest: Hashable, Sendable, Comparable, CustomStringConvertible {
    package let hexadecimal: String

    /// Nil unless `text` is exactly 64 lower-case hexadecimal digits.
    package init?(_ text: String) {
        let digits = UInt8(ascii: "0")...UInt8(ascii: "9")
        let letters = UInt8(ascii: "a")...UInt8(ascii: "f")
        guard text.utf8.count == 64, text.utf8.allSatisfy({ digits.contains($0) || letters.contains($0) }) else {
            return nil
        }
        hexadecimal = text
    }

    init(hash: [UInt8]) {
        hexadecimal = hash.hexadecimal
    }

    /// Enough digits to tell trees apart for a reader, and in the names of host images.
    package var short: String { String(hexadecimal.prefix(12)) }

    package var description: String { hexadecimal }

    package static func < (left: Self, right: Self) -> Bool { left.hexadecimal < right.hexadecimal }
}
