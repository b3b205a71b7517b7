/// A vector of the network's width: embeddings, hidden and cell states, and rows of weights.
///
/// Two halves of sixteen, because the arithmetic of `SIMD32<Float>` is not vectorized by Swift 6.3 on x86-64: a call of
/// the network took 2.9 ms with it.
package struct Vector32: Sendable, Equatable {
    var low: SIMD16<Float>
    var high: SIMD16<Float>

    @inline(__always)
    init(low: SIMD16<Float>, high: SIMD16<Float>) {
        self.low = low
        self.high = high
    }

    @inline(__always)
    init(repeating value: Float) {
        low = SIMD16(repeating: value)
        high = low
    }

    static let zero = Vector32(repeating: 0)

    /// One lane; slow, see `lanes`.
    subscript(lane: Int) -> Float {
        get { lane < 16 ? low[lane] : high[lane - 16] }
        set { if lane < 16 { low[lane] = newValue } else { high[lane - 16] = newValue } }
    }

    /// The lanes as an array: indexing a vector by a variable goes through memory every time.
    @inline(__always)
    var lanes: InlineArray<32, Float> {
        // unsafe: both are 32 floats in order, without padding.
        unsafeBitCast(self, to: InlineArray<32, Float>.self)
    }

    @inline(__always)
    init(_ lanes: InlineArray<32, Float>) {
        // unsafe: as above.
        self = unsafeBitCast(lanes, to: Vector32.self)
    }

    @inline(__always)
    func sum() -> Float {
        let sixteen = low + high
        let eight = sixteen.lowHalf + sixteen.highHalf
        let four = eight.lowHalf + eight.highHalf
        let two = four.lowHalf + four.highHalf
        return two.x + two.y
    }

    @inline(__always)
    func squareRoot() -> Vector32 { Vector32(low: low.squareRoot(), high: high.squareRoot()) }

    @inline(__always)
    static func + (a: Vector32, b: Vector32) -> Vector32 { Vector32(low: a.low + b.low, high: a.high + b.high) }
    @inline(__always)
    static func - (a: Vector32, b: Vector32) -> Vector32 { Vector32(low: a.low - b.low, high: a.high - b.high) }
    @inline(__always)
    static func * (a: Vector32, b: Vector32) -> Vector32 { Vector32(low: a.low * b.low, high: a.high * b.high) }
    @inline(__always)
    static func / (a: Vector32, b: Vector32) -> Vector32 { Vector32(low: a.low / b.low, high: a.high / b.high) }
    @inline(__always)
    static func * (a: Vector32, b: Float) -> Vector32 {
        let all = SIMD16<Float>(repeating: b)
        return Vector32(low: a.low * all, high: a.high * all)
    }
    @inline(__always)
    static func * (a: Float, b: Vector32) -> Vector32 { b * a }
    @inline(__always)
    static func + (a: Vector32, b: Float) -> Vector32 { a + Vector32(repeating: b) }
    @inline(__always)
    static func - (a: Float, b: Vector32) -> Vector32 { Vector32(repeating: a) - b }
    @inline(__always)
    static func - (a: Vector32, b: Float) -> Vector32 { a - Vector32(repeating: b) }
    @inline(__always)
    static func += (a: inout Vector32, b: Vector32) {
        a.low += b.low
        a.high += b.high
    }
    @inline(__always)
    static func -= (a: inout Vector32, b: Vector32) {
        a.low -= b.low
        a.high -= b.high
    }
    @inline(__always)
    static func *= (a: inout Vector32, b: Vector32) {
        a.low *= b.low
        a.high *= b.high
    }
}

extension ArchiveWriter {
    /// Rows of 32 as pairs of sixteen.
    mutating func putSparse(_ rows: [Vector32]) { putSparse(rows.flatMap { [$0.low, $0.high] }) }
}

extension ArchiveReader {
    mutating func getSparse(into rows: inout [Vector32]) throws(ForecastError) {
        var halves = [SIMD16<Float>](repeating: .zero, count: 2 * rows.count)
        try getSparse(into: &halves)
        for index in rows.indices { rows[index] = Vector32(low: halves[2 * index], high: halves[2 * index + 1]) }
    }
}
