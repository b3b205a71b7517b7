import ArgumentParser
import Linux

/// A size such as `128M`.
struct ByteCount: ExpressibleByArgument {
    let value: UInt64

    init?(argument: String) {
        guard let bytes = Quantity.bytes(argument), bytes >= 0 else { return nil }
        value = UInt64(bytes)
    }
}

/// A duration such as `5s`.
struct TimeSpan: ExpressibleByArgument {
    let nanoseconds: UInt64

    init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }

    init?(argument: String) {
        guard let value = Quantity.nanoseconds(argument), value >= 0 else { return nil }
        nanoseconds = UInt64(value)
    }
}

/// `KEY=VALUE`; `KEY` alone takes the value from this command's own environment.
struct EnvironmentVariable: ExpressibleByArgument {
    let key: String
    let value: String

    init?(argument: String) {
        let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        guard let key = parts.first, !key.isEmpty else { return nil }
        self.key = String(key)
        value = parts.count == 2 ? String(parts[1]) : Environment.value(String(key)) ?? ""
    }
}

extension [EnvironmentVariable] {
    var dictionary: [String: String] { reduce(into: [:]) { $0[$1.key] = $1.value } }
}
