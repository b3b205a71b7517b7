import Foundation

/// JSON on stdout: sorted keys, one value.
enum JSON {
    /// A value whose shape is only known when it is written.
    indirect enum Value: Encodable {
        case string(String)
        case integer(Int64)
        case number(Double)
        case bool(Bool)
        case null
        case array([Value])
        case object([String: Value])

        init(_ count: UInt64) { self = .integer(Int64(clamping: count)) }

        func encode(to encoder: any Encoder) throws {
            var container = encoder.singleValueContainer()
            switch self {
            case .string(let value): try container.encode(value)
            case .integer(let value): try container.encode(value)
            case .number(let value): try container.encode(value)
            case .bool(let value): try container.encode(value)
            case .null: try container.encodeNil()
            case .array(let value): try container.encode(value)
            case .object(let value): try container.encode(value)
            }
        }

        /// Bytes as the JSON they are, else as text.
        init(parsing bytes: [UInt8]) {
            if let any = try? JSONSerialization.jsonObject(with: Data(bytes), options: .fragmentsAllowed) {
                self = Value(any)
            } else {
                self = .string(String(decoding: bytes, as: UTF8.self))
            }
        }

        private init(_ any: Any) {
            switch any {
            case let value as NSNumber where Self.isBoolean(value): self = .bool(value.boolValue)
            case let value as NSNumber:
                self =
                    Double(value.int64Value) == value.doubleValue
                    ? .integer(value.int64Value) : .number(value.doubleValue)
            case let value as String: self = .string(value)
            case let value as [Any]: self = .array(value.map { Value($0) })
            case let value as [String: Any]: self = .object(value.mapValues { Value($0) })
            default: self = .null
            }
        }

        /// NSNumber says of itself whether it came from `true` or from `1`.
        private static func isBoolean(_ number: NSNumber) -> Bool {
            String(cString: number.objCType) == "c"
        }
    }

    static func print(_ value: Value) {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        guard let data = try? encoder.encode(value) else { return }
        Terminal.write(Array(data) + [UInt8(ascii: "\n")])
    }
}
