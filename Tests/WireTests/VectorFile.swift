import Foundation
import Testing

/// A file below protocol/vectors, read as loosely as JSON is.
struct VectorFile: CustomTestStringConvertible, Sendable {
    let name: String
    let contents: Data

    var testDescription: String { name }

    static let folder = URL(filePath: #filePath).deletingLastPathComponent()
        .appending(path: "../../protocol/vectors").standardizedFileURL

    static func all(_ kind: String) -> [VectorFile] {
        let folder = folder.appending(path: kind)
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path())) ?? []
        return names.filter { $0.hasSuffix(".json") }.sorted().compactMap { name in
            (try? Data(contentsOf: folder.appending(path: name))).map { VectorFile(name: name, contents: $0) }
        }
    }

    func json() throws -> JSON {
        JSON(try JSONSerialization.jsonObject(with: contents))
    }
}

struct JSON {
    let value: Any?

    init(_ value: Any?) { self.value = value is NSNull ? nil : value }

    subscript(_ key: String) -> JSON { JSON((value as? [String: Any])?[key]) }

    var exists: Bool { value != nil }
    var string: String { value as? String ?? "" }
    var number: UInt64 { (value as? NSNumber)?.uint64Value ?? 0 }
    var int: Int { Int(number) }
    var bool: Bool { (value as? NSNumber)?.boolValue ?? false }
    var list: [JSON] { (value as? [Any] ?? []).map(JSON.init) }

    /// The notation of bytes: pieces of hexadecimal, or one byte repeated.
    var bytes: [UInt8] {
        list.flatMap { piece -> [UInt8] in
            if let text = piece.value as? String { return Self.bytes(text) }
            return [UInt8](repeating: Self.bytes(piece["repeat"].string)[0], count: piece["count"].int)
        }
    }

    private static func bytes(_ text: String) -> [UInt8] {
        let digits = Array(text.utf8).map { UInt8(String(UnicodeScalar($0)), radix: 16) ?? 0 }
        return stride(from: 0, to: digits.count - 1, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
    }
}

/// How a vector's bytes are cut.
enum Cut: Equatable {
    case whole
    case everyByte
    case at(Int)

    /// Everything worth trying for inputs of at most `length` bytes: every byte alone, and cut in two at every place.
    /// Of long inputs only the beginning is cut in two: the places inside a long body are all alike.
    static func all(for length: Int) -> [Cut] {
        [.whole, .everyByte] + (1..<max(2, min(length, length > 400 ? 60 : 400))).map { .at($0) }
    }

    func pieces(_ bytes: [UInt8]) -> [ArraySlice<UInt8>] {
        switch self {
        case .whole: [bytes[...]]
        case .everyByte:
            // The inside of a body longer than 4 KiB comes in pieces of a prime length, else a mebibyte takes minutes.
            bytes.prefix(4096).indices.map { bytes[$0...$0] }
                + stride(from: 4096, to: bytes.count, by: 251).map { bytes[$0..<min($0 + 251, bytes.count)] }
        case .at(let index):
            index < bytes.count ? [bytes[..<index], bytes[index...]] : [bytes[...]]
        }
    }
}
