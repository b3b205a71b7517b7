/// Writes the library's binary files: a magic number, a kind, a version, little-endian values, and a checksum.
///
/// Layout: `"HRTHFCST" | kind u32 | version u32 | length u64 | body | checksum u64`; the checksum covers all before it.
package struct ArchiveWriter {
    package private(set) var bytes: [UInt8] = []

    static let magic: [UInt8] = Array("HRTHFCST".utf8)
    static let headerSize = 24

    package init(kind: ArchiveKind) {
        bytes.append(contentsOf: Self.magic)
        put(kind.rawValue)
        put(kind.version)
        put(UInt64(0))
    }

    package mutating func put<Value: FixedWidthInteger>(_ value: Value) {
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }

    package mutating func put(_ value: Float) { put(value.bitPattern) }
    package mutating func put(_ value: Double) { put(value.bitPattern) }

    package mutating func put(_ text: String) {
        let utf8 = Array(text.utf8)
        put(UInt32(utf8.count))
        bytes.append(contentsOf: utf8)
    }

    package mutating func put<Value: FixedWidthInteger>(_ values: [Value]) {
        put(UInt32(values.count))
        for value in values { put(value) }
    }

    package mutating func put(_ values: [Float]) {
        put(UInt32(values.count))
        for value in values { put(value) }
    }

    /// The file: closes it with its length and checksum.
    package consuming func finish() -> [UInt8] {
        let length = UInt64(bytes.count - Self.headerSize)
        for byte in 0..<8 { bytes[16 + byte] = UInt8(truncatingIfNeeded: length >> UInt64(8 * byte)) }
        let sum = Self.checksum(bytes[...])
        put(sum)
        return bytes
    }

    /// 64-bit FNV-1a (Fowler, Noll, Vo): finds damage; it is no defence against forgery.
    static func checksum(_ bytes: ArraySlice<UInt8>) -> UInt64 {
        var sum: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in bytes {
            sum ^= UInt64(byte)
            sum = sum &* 0x100_0000_01b3
        }
        return sum
    }
}

/// What a file holds, with the format version that this release writes and reads. The state of a model means nothing to a
/// model of another shape, so that versions are not converted: a file of another version is refused, and what it knew is learned
/// again within days.
package enum ArchiveKind: UInt32, Sendable {
    case engine = 1
    case prior = 2
    case network = 3
    case outcomes = 4

    /// Raised with every change of what is written, or of what it means.
    var version: UInt32 {
        switch self {
        // 2: trails with counts, weights by more contexts, the sources that are asked, hours of the week.
        case .engine: 2
        // 2: refinement maps and callers.
        case .prior: 2
        // 2: rows in halves.
        case .network: 2
        case .outcomes: 1
        }
    }

    var label: String {
        switch self {
        case .engine: "the saved forecast state"
        case .prior: "the forecast prior"
        case .network: "the LSTM weight file"
        case .outcomes: "the saved outcomes of prefetches"
        }
    }
}
