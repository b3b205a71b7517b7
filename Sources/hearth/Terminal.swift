import Glibc
import Linux

/// Output: plain bytes to a pipe, a little colour to a person (NO_COLOR, https://no-color.org).
enum Terminal {
    static let hasColour: Bool = isatty(1) == 1 && getenv("NO_COLOR") == nil

    static func write(_ text: String) { writeAll(1, Array(text.utf8)) }
    static func write(_ bytes: [UInt8]) { writeAll(1, bytes) }
    static func writeError(_ text: String) { writeAll(2, Array(text.utf8)) }
    static func writeError(_ bytes: [UInt8]) { writeAll(2, bytes) }

    /// A reader that has gone (`hearth ps | head`) is no error of ours.
    private static func writeAll(_ fd: Int32, _ bytes: [UInt8]) {
        try? Message.writeAll(fd, bytes)
    }

    static func styled(_ text: String, _ code: String) -> String {
        hasColour ? "\u{1b}[\(code)m\(text)\u{1b}[0m" : text
    }

    /// A stranger's text on a terminal: control characters made visible, so that no log line moves the cursor.
    static func printable(_ text: String) -> String {
        String(
            text.unicodeScalars.map { scalar in
                scalar.value < 0x20 || (0x7f..<0xa0).contains(scalar.value) ? "\u{fffd}" : Character(scalar)
            })
    }
}

/// Columns, aligned; numbers to the right.
struct Table {
    let headers: [String]
    var rightAligned: Set<Int> = []
    private var rows: [[String]] = []

    init(_ headers: [String], rightAligned: Set<Int> = []) {
        self.headers = headers
        self.rightAligned = rightAligned
    }

    mutating func add(_ row: [String]) { rows.append(row.map(Terminal.printable)) }

    /// Nothing at all when there are no rows: a script sees an empty listing as empty.
    func print() {
        for line in lines { Terminal.write(line + "\n") }
    }

    var lines: [String] {
        guard !rows.isEmpty else { return [] }
        var widths = headers.map(\.count)
        for row in rows { for (index, cell) in row.enumerated() { widths[index] = max(widths[index], cell.count) } }
        return [Terminal.styled(line(headers, widths), "1")] + rows.map { line($0, widths) }
    }

    private func line(_ cells: [String], _ widths: [Int]) -> String {
        var parts: [String] = []
        for (index, cell) in cells.enumerated() {
            let padding = String(repeating: " ", count: widths[index] - cell.count)
            if rightAligned.contains(index) {
                parts.append(padding + cell)
            } else {
                parts.append(index == cells.count - 1 ? cell : cell + padding)
            }
        }
        return parts.joined(separator: "  ")
    }
}

/// Figures as people read them.
enum Format {
    static func bytes(_ count: UInt64) -> String {
        let units: [(UInt64, String)] = [(1 << 30, "G"), (1 << 20, "M"), (1 << 10, "K")]
        for (size, name) in units where count >= size {
            let tenths = (count * 10 + size / 2) / size
            return tenths >= 100 || tenths % 10 == 0
                ? "\((tenths + 5) / 10)\(name)" : "\(tenths / 10).\(tenths % 10)\(name)"
        }
        return "\(count)"
    }

    static func duration(_ nanoseconds: UInt64) -> String {
        switch nanoseconds {
        case ..<1_000_000: "\(nanoseconds / 1000)us"
        case ..<10_000_000: "\(nanoseconds / 1_000_000).\(nanoseconds / 100_000 % 10)ms"
        case ..<1_000_000_000: "\(nanoseconds / 1_000_000)ms"
        case ..<120_000_000_000: "\(nanoseconds / 1_000_000_000)s"
        case ..<7_200_000_000_000: "\(nanoseconds / 60_000_000_000)m"
        default: "\(nanoseconds / 3_600_000_000_000)h"
        }
    }
}
