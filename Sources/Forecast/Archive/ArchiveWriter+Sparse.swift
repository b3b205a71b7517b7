/// Tables of float vectors of which most still hold their first value: only runs of others are written.
extension ArchiveWriter {
    package mutating func putSparse<Cell: SIMD>(_ cells: [Cell], empty: Cell = .zero) where Cell.Scalar == Float {
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
            for cell in cells[at..<end] { for lane in cell.indices { put(cell[lane]) } }
            at = end
        }
        put(UInt32.max)
    }
}

extension ArchiveReader {
    /// Reads into a table of the same size that holds its first values.
    package mutating func getSparse<Cell: SIMD>(into cells: inout [Cell]) throws(ForecastError)
    where Cell.Scalar == Float {
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
