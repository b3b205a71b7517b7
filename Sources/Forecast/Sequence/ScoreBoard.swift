/// Scores by function, dense, with a list of those that have one; reused from forecast to forecast.
package struct ScoreBoard: Sendable {
    private var values: [Float] = []
    private(set) package var touched: [UInt32] = []
    /// What every function has that is not listed.
    package var floor: Float = 0

    package init() {}

    package mutating func clear() {
        for function in touched { values[Int(function)] = 0 }
        touched.removeAll(keepingCapacity: true)
        floor = 0
    }

    @inline(__always)
    package mutating func add(_ function: UInt32, _ score: Float) {
        guard score > 0 else { return }
        if Int(function) >= values.count {
            values.append(contentsOf: repeatElement(0, count: Int(function) + 64 - values.count))
        }
        if values[Int(function)] == 0 { touched.append(function) }
        values[Int(function)] += score
    }

    package subscript(_ function: UInt32) -> Float {
        (Int(function) < values.count ? values[Int(function)] : 0) + floor
    }

    /// The `count` best, best first; ties by number.
    package func best(_ count: Int) -> [UInt32] {
        var best: [UInt32] = []
        for function in touched {
            let score = values[Int(function)]
            if best.count == count {
                guard let last = best.last, score > values[Int(last)] || (score == values[Int(last)] && function < last)
                else { continue }
                best.removeLast()
            }
            var at = best.count
            while at > 0 {
                let other = values[Int(best[at - 1])]
                guard score > other || (score == other && function < best[at - 1]) else { break }
                at -= 1
            }
            best.insert(function, at: at)
        }
        return best
    }
}
