import Glibc

/// The lines of one file, one at a time, in memory bounded by the longest line.
struct LineReader: ~Copyable {
    /// A minute matrix of 14 days is about 100 KB a line; a file without line ends is refused, not swallowed.
    static let longestLine = 16 << 20

    private var source: ByteReader
    private var buffer = [UInt8](repeating: 0, count: 256 << 10)
    private var start = 0
    private var end = 0
    private var ended = false
    /// The number of the line last handed out, from 1.
    private(set) var number = 0

    var path: String { source.path }
    var position: Int { source.position }
    var size: Int { source.size }

    init(path: String) throws(ReplayError) { source = try ByteReader(path: path) }

    /// Calls `body` with the next line, without its line end. Returns nil at the end of the file.
    mutating func next<Value>(
        _ body: (Span<UInt8>) throws(ReplayError) -> Value
    ) throws(ReplayError) -> Value? {
        guard let range = try advance() else { return nil }
        return try body(buffer.span.extracting(range))
    }

    private func newlineIndex(in range: Range<Int>) -> Int? {
        // memchr(3) looks at these bytes only during the call; it is ten times faster than a loop over the array.
        buffer.withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress, !range.isEmpty,
                let found = memchr(base + range.lowerBound, 0x0a, range.count)
            else { return nil }
            return UnsafeRawPointer(found) - base
        }
    }

    /// Where the next line lies in the buffer, which is refilled and grown as needed.
    private mutating func advance() throws(ReplayError) -> Range<Int>? {
        var scanned = start
        while true {
            if let newline = newlineIndex(in: scanned..<end) {
                defer { start = newline + 1 }
                number += 1
                let bare = newline > start && buffer[newline - 1] == UInt8(ascii: "\r") ? newline - 1 : newline
                return start..<bare
            }
            if ended {
                guard start < end else { return nil }
                defer { start = end }
                number += 1
                return start..<end
            }
            scanned = end
            if start > 0 {
                buffer.replaceSubrange(0..<end - start, with: buffer[start..<end])
                scanned -= start
                end -= start
                start = 0
            }
            if end == buffer.count {
                guard buffer.count < Self.longestLine else {
                    throw .malformed(
                        path: path, line: number + 1,
                        reason: "the line is longer than \(Self.longestLine >> 20) MiB; is this a text file?")
                }
                buffer.append(contentsOf: repeatElement(0, count: buffer.count))
            }
            let got = try source.read(into: &buffer, from: end)
            end += got
            ended = got == 0
        }
    }
}
