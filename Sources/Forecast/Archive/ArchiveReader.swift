/// Reads what `ArchiveWriter` wrote; refuses damage and newer versions before anything is built.
package struct ArchiveReader {
    private let bytes: [UInt8]
    private var offset: Int
    private let end: Int
    let what: String

    package init(_ bytes: [UInt8], kind: ArchiveKind) throws(ForecastError) {
        what = kind.label
        let smallest = ArchiveWriter.headerSize + 8
        guard bytes.count >= smallest else {
            throw .damaged(what: kind.label, reason: "it has \(bytes.count) bytes, at least \(smallest) are needed")
        }
        guard Array(bytes[0..<8]) == ArchiveWriter.magic else {
            throw .damaged(what: kind.label, reason: "it does not begin with \"HRTHFCST\"")
        }
        self.bytes = bytes
        offset = 8
        end = bytes.count - 8
        let found = try get(UInt32.self)
        guard found == kind.rawValue else {
            throw .damaged(what: kind.label, reason: "it holds kind \(found), expected kind \(kind.rawValue)")
        }
        let version = try get(UInt32.self)
        guard version <= kind.version else {
            throw .newer(what: kind.label, version: version, known: kind.version)
        }
        guard version >= kind.version || version == 0 else {
            throw .older(what: kind.label, version: version, known: kind.version)
        }
        let length = try get(UInt64.self)
        guard version >= 1, length == UInt64(bytes.count - smallest) else {
            let follow = bytes.count - smallest
            throw .damaged(what: kind.label, reason: "its header tells \(length) bytes, \(follow) follow")
        }
        var sum: UInt64 = 0
        for byte in 0..<8 { sum |= UInt64(bytes[end + byte]) << UInt64(8 * byte) }
        guard sum == ArchiveWriter.checksum(bytes[..<end]) else {
            throw .damaged(what: kind.label, reason: "its checksum does not match")
        }
    }

    package mutating func get<Value: FixedWidthInteger>(_ type: Value.Type) throws(ForecastError) -> Value {
        let size = Value.bitWidth / 8
        guard offset + size <= end else { throw short() }
        var value: Value = 0
        for byte in 0..<size { value |= Value(truncatingIfNeeded: bytes[offset + byte]) << Value(8 * byte) }
        offset += size
        return value
    }

    package mutating func get(_ type: Float.Type) throws(ForecastError) -> Float {
        let value = Float(bitPattern: try get(UInt32.self))
        guard value.isFinite else { throw .damaged(what: what, reason: "it holds a number that is not finite") }
        return value
    }

    package mutating func get(_ type: Double.Type) throws(ForecastError) -> Double {
        let value = Double(bitPattern: try get(UInt64.self))
        guard value.isFinite else { throw .damaged(what: what, reason: "it holds a number that is not finite") }
        return value
    }

    package mutating func get(_ type: String.Type) throws(ForecastError) -> String {
        let count = try self.count(size: 1)
        let text = String(decoding: bytes[offset..<offset + count], as: UTF8.self)
        offset += count
        return text
    }

    package mutating func get<Value: FixedWidthInteger>(_ type: [Value].Type) throws(ForecastError) -> [Value] {
        let count = try self.count(size: Value.bitWidth / 8)
        var values: [Value] = []
        values.reserveCapacity(count)
        for _ in 0..<count { values.append(try get(Value.self)) }
        return values
    }

    package mutating func get(_ type: [Float].Type) throws(ForecastError) -> [Float] {
        let count = try self.count(size: 4)
        var values: [Float] = []
        values.reserveCapacity(count)
        for _ in 0..<count { values.append(try get(Float.self)) }
        return values
    }

    /// A count of elements that can really follow, `size` bytes each at least.
    package mutating func count(size: Int) throws(ForecastError) -> Int {
        let count = Int(try get(UInt32.self))
        guard count <= (end - offset) / max(1, size) else { throw short() }
        return count
    }

    /// The number of a function or topic: an unreasonable one would make tables that are indexed by it fill the memory.
    package mutating func getNumber() throws(ForecastError) -> UInt32 {
        let number = try get(UInt32.self)
        try require(number < 1 << 24, "a function has the number \(number)")
        return number
    }

    /// Checks that a value read lies where the writer can have put it.
    package func require(_ condition: Bool, _ reason: @autoclosure () -> String) throws(ForecastError) {
        guard condition else { throw .damaged(what: what, reason: reason()) }
    }

    package func finish() throws(ForecastError) {
        guard offset == end else { throw .damaged(what: what, reason: "\(end - offset) bytes are left over") }
    }

    private func short() -> ForecastError { .damaged(what: what, reason: "a value runs past its end") }
}
