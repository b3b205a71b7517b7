/// An array in blocks of `size` elements, each with storage of its own: after the whole was copied, the first change of an element
/// copies its block and not everything. What a snapshot costs whoever goes on is then spread over many events.
package struct Blocks<Element: Sendable>: Sendable {
    private static var shift: Int { 12 }
    /// Elements of a block.
    package static var size: Int { 1 << shift }

    private var blocks: [[Element]] = []
    package private(set) var count = 0

    package init() {}

    package init(repeating element: Element, count: Int) {
        append(repeating: element, count: count)
    }

    package mutating func append(_ element: Element) {
        if count & (Self.size - 1) == 0 {
            blocks.append([])
            blocks[blocks.count - 1].reserveCapacity(Self.size)
        }
        blocks[blocks.count - 1].append(element)
        count += 1
    }

    package mutating func append(repeating element: Element, count more: Int) {
        var left = more
        while left > 0 {
            let room = Self.size - count & (Self.size - 1)
            let part = Swift.min(left, room)
            if room == Self.size { blocks.append([]) }
            blocks[blocks.count - 1].append(contentsOf: repeatElement(element, count: part))
            count += part
            left -= part
        }
    }

    /// Drops all but the first `kept` elements, and frees the blocks behind them.
    package mutating func truncate(to kept: Int) {
        guard kept < count else { return }
        let whole = (kept + Self.size - 1) >> Self.shift
        blocks.removeLast(blocks.count - whole)
        if kept & (Self.size - 1) != 0 {
            blocks[whole - 1].removeLast(blocks[whole - 1].count - kept & (Self.size - 1))
        }
        count = kept
    }

    /// Bytes of the elements; the blocks' own heads are small change.
    package var memoryBytes: Int { count * MemoryLayout<Element>.stride }
}

extension Blocks: RandomAccessCollection, MutableCollection {
    package var startIndex: Int { 0 }
    package var endIndex: Int { count }

    @inline(__always)
    package subscript(index: Int) -> Element {
        get { blocks[index >> Self.shift][index & (Self.size - 1)] }
        _modify { yield &blocks[index >> Self.shift][index & (Self.size - 1)] }
    }
}
