import Glibc

/// Comma-separated fields of one line, read in place: RFC 4180 without line breaks inside quotes.
enum Fields {
    /// The field that starts at `cursor`, which moves behind its comma; nil behind the last field.
    static func next(in line: Span<UInt8>, at cursor: inout Int) -> Range<Int>? {
        guard cursor <= line.count else { return nil }
        let start = cursor
        if start < line.count && line[start] == UInt8(ascii: "\"") {
            var end = start + 1
            while end < line.count {
                if line[end] == UInt8(ascii: "\"") {
                    guard end + 1 < line.count && line[end + 1] == UInt8(ascii: "\"") else { break }
                    end += 1
                }
                end += 1
            }
            cursor = min(end, line.count) + 2
            return start + 1..<min(end, line.count)
        }
        var end = start
        while end < line.count && line[end] != UInt8(ascii: ",") { end += 1 }
        cursor = end + 1
        return start..<end
    }

    /// All fields of a line.
    static func all(in line: Span<UInt8>) -> [Range<Int>] {
        var ranges: [Range<Int>] = []
        var cursor = 0
        while let range = next(in: line, at: &cursor) { ranges.append(range) }
        return ranges
    }

    static func text(_ line: Span<UInt8>, _ range: Range<Int>) -> String {
        let field = line.extracting(range)
        // The string copies the bytes before the closure returns.
        let text = field.withUnsafeBufferPointer { String(decoding: $0, as: UTF8.self) }
        return text.contains("\"\"") ? text.replacing("\"\"", with: "\"") : text
    }

    /// A decimal number, exactly rounded. An empty field is nil, as is anything that is not a finite number.
    static func number(_ line: Span<UInt8>, _ range: Range<Int>) -> Double? {
        var mantissa: UInt64 = 0
        var digits = 0
        var decimals = 0
        var seenPoint = false
        var index = range.lowerBound
        let negative = index < range.upperBound && line[index] == UInt8(ascii: "-")
        if negative { index += 1 }
        while index < range.upperBound {
            let byte = line[index]
            if byte >= 0x30 && byte <= 0x39 {
                mantissa = mantissa &* 10 &+ UInt64(byte - 0x30)
                digits += 1
                if seenPoint { decimals += 1 }
            } else if byte == UInt8(ascii: ".") && !seenPoint {
                seenPoint = true
            } else {
                return slowNumber(line, range)
            }
            index += 1
        }
        guard digits > 0 else { return nil }
        // Up to 15 digits the mantissa and the power of ten are exact, so one division rounds correctly.
        guard digits <= 15 else { return slowNumber(line, range) }
        let value = Double(mantissa) / powersOfTen[decimals]
        return negative ? -value : value
    }

    /// Whether a number can be a count by the minute; beyond a billion it is damage.
    static func isCount(_ value: Double) -> Bool { value >= 0 && value <= 1e9 }

    private static let powersOfTen: [Double] = [
        1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
    ]

    private static func slowNumber(_ line: Span<UInt8>, _ range: Range<Int>) -> Double? {
        guard let value = Double(text(line, range)), value.isFinite else { return nil }
        return value
    }
}

/// The names of a header line, and where its minute columns are.
struct Header {
    let names: [String]
    /// The run of columns whose names are consecutive numbers, up to the last column.
    let minutes: MinuteColumns?

    struct MinuteColumns: Equatable {
        var firstColumn: Int
        var count: Int
        /// The name of the first minute column: 1 is midnight to 00:01, a cut of a day may begin at 480.
        var firstNumber: Int
    }

    init(_ line: Span<UInt8>) {
        var start = 0
        // A byte order mark would otherwise become part of the first name.
        if line.count >= 3 && line[0] == 0xef && line[1] == 0xbb && line[2] == 0xbf { start = 3 }
        let bare = line.extracting(start..<line.count)
        let fields = Fields.all(in: bare)
        var names: [String] = []
        for field in fields { names.append(Fields.text(bare, field)) }
        self.names = names
        minutes = Self.minuteColumns(names)
    }

    /// A thousand years: what is beyond is no minute, and its nanoseconds would overflow.
    private static let latestMinute = 526_000_000

    private static func minuteColumns(_ names: [String]) -> MinuteColumns? {
        guard let first = names.firstIndex(where: { Int($0) != nil }), let number = Int(names[first]),
            (0...Self.latestMinute).contains(number)
        else {
            return nil
        }
        for (offset, name) in names[first...].enumerated() where Int(name) != number + offset { return nil }
        return MinuteColumns(firstColumn: first, count: names.count - first, firstNumber: number)
    }

    func starts(with wanted: String...) -> Bool { names.starts(with: wanted) }

    func column(_ name: String) -> Int? { names.firstIndex(of: name) }
}
