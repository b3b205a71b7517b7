/// Tables of float vectors of which most still hold their first value: only runs of others are written.
extension ArchiveWriter {
    package mutating func putSparse<Cells: RandomAccessCollection<Cell>, Cell: SIMD>(
        _ cells: Cells, empty: Cell = .zero
    ) where Cell.Scalar == Float, Cells.Index == Int {
        put(UInt32(cells.count))
        var at = 0
        while at < cells.count {
            guard cells[at] != empty else {
                at += 1
                continue
            }
            var end = at + 1
            while end < cells.count && cells[end] != empty { end += 1 }
            put(UInt32(at))
            put(UInt32(end - at))
            for index in at..<end { for lane in empty.indices { put(cells[index][lane]) } }
            at = end
        }
        put(UInt32.max)
    }
}

extension ArchiveReader {
    /// Reads into a table of the same size that holds its first values.
    package mutating func getSparse<Cells: RandomAccessCollection<Cell> & MutableCollection, Cell: SIMD>(
        into cells: inout Cells
    ) throws(ForecastError) where Cell.Scalar == Float, Cells.Index == Int {
        let count = Int(try get(UInt32.self))
        try require(count == cells.count, "a table has \(count) cells, expected \(cells.count)")
        while case let start = try get(UInt32.self), start != .max {
            let length = try self.count(size: 4 * Cell.scalarCount)
            try require(Int(start) + length <= cells.count, "a run lies outside its table")
            for index in Int(start)..<Int(start) + length {
                for lane in cells[index].indices { cells[index][lane] = try get(Float.self) }
            }
        }
    }
}
