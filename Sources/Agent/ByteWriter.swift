/// Numbers and texts one after the other, as `ByteReader` takes them apart again: for files that only this program reads.
struct ByteWriter {
    private(set) var bytes: [UInt8] = []

    mutating func removeAll() { bytes.removeAll(keepingCapacity: true) }

    mutating func append(_ number: UInt64) {
        withUnsafeBytes(of: number.littleEndian) { bytes.append(contentsOf: $0) }
    }

    mutating func append(_ text: String) {
        let start = bytes.count
        append(0 as UInt64)
        bytes.append(contentsOf: text.utf8)
        set(UInt64(bytes.count - start - 8), at: start)
    }

    /// Overwrites a number.
    mutating func set(_ number: UInt64, at index: Int) {
        withUnsafeBytes(of: number.littleEndian) { bytes.replaceSubrange(index..<(index + 8), with: $0) }
    }
}

/// Reads what a `ByteWriter` wrote. Bytes that are missing read as 0 and "", and are told by `isWhole`.
struct ByteReader {
    private let bytes: [UInt8]
    private var position = 0
    private var isShort = false

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// Whether everything that was asked for was there, and nothing else.
    var isWhole: Bool { !isShort && position == bytes.count }

    mutating func number() -> UInt64 {
        guard take(8) else { return 0 }
        var number: UInt64 = 0
        for index in (position - 8..<position).reversed() { number = number << 8 | UInt64(bytes[index]) }
        return number
    }

    mutating func text() -> String {
        let length = number()
        guard length <= UInt64(bytes.count), take(Int(length)) else {
            isShort = true
            return ""
        }
        return String(decoding: bytes[(position - Int(length))..<position], as: UTF8.self)
    }

    private mutating func take(_ count: Int) -> Bool {
        guard bytes.count - position >= count else {
            isShort = true
            return false
        }
        position += count
        return true
    }
}
