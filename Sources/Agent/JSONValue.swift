/// A JSON value to be written; keys are sorted, so the same value has the same text.
enum JSONValue {
    case string(String)
    case integer(Int64)
    case object([String: JSONValue])

    var text: String {
        var out = ""
        write(to: &out)
        return out
    }

    private func write(to out: inout String) {
        switch self {
        case .string(let text): JSONText.append(text, to: &out)
        case .integer(let number): out += String(number)
        case .object(let fields):
            out += "{"
            for (index, field) in fields.sorted(by: { $0.key < $1.key }).enumerated() {
                if index > 0 { out += "," }
                JSONText.append(field.key, to: &out)
                out += ":"
                field.value.write(to: &out)
            }
            out += "}"
        }
    }
}
