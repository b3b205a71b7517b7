/// Sizes and durations as people write them.
package enum Quantity {
    /// `128M`, `1.5G`, `4096`: powers of 1024, an optional `B` or `iB` after the letter.
    package static func bytes(_ text: String) -> Int64? {
        var body = text[...]
        if body.hasSuffix("iB") { body = body.dropLast(2) } else if body.hasSuffix("B") { body = body.dropLast() }
        let units: [Character: Double] = [
            "K": 0x1p10, "k": 0x1p10, "M": 0x1p20, "m": 0x1p20, "G": 0x1p30, "g": 0x1p30, "T": 0x1p40, "t": 0x1p40,
        ]
        var factor = 1.0
        if let last = body.last, let unit = units[last] {
            factor = unit
            body = body.dropLast()
        }
        return scaled(body, factor)
    }

    /// `500ms`, `5s`, `10m`, `1h`, `250us`; a bare number is seconds.
    package static func nanoseconds(_ text: String) -> Int64? {
        let units: [(String, Double)] = [("ns", 1), ("us", 1e3), ("ms", 1e6), ("s", 1e9), ("m", 60e9), ("h", 3600e9)]
        for (suffix, factor) in units where text.hasSuffix(suffix) {
            return scaled(text.dropLast(suffix.count), factor)
        }
        return scaled(text[...], 1e9)
    }

    private static func scaled(_ digits: Substring, _ factor: Double) -> Int64? {
        guard let first = digits.first, first.isNumber, let number = Double(digits), number.isFinite else { return nil }
        let value = number * factor
        return value < 9.2e18 ? Int64(value) : nil
    }
}
