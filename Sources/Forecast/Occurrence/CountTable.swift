/// How often something happened out of how often it could: trials in `x`, hits in `y`.
package typealias CountCell = SIMD2<Float>

/// Hit frequencies by context, each shrunk to the estimate of a coarser context (empirical Bayes), and forgetting:
/// at `cap` trials both counts are scaled by 1 - 1/cap, so that the latest `cap` or so carry the weight.
struct CountTable: Sendable {
    var cells: [CountCell]
    let cap: Float

    init(count: Int, cap: Float) {
        cells = [CountCell](repeating: .zero, count: count)
        self.cap = cap
    }

    /// `strength` is how many trials the parent's estimate counts for.
    @inline(__always)
    func estimate(_ index: Int, parent: Float, strength: Float = 4) -> Float {
        let cell = cells[index]
        return (cell.y + strength * parent) / (cell.x + strength)
    }

    @inline(__always)
    mutating func learn(_ index: Int32, _ hit: Float) {
        var cell = cells[Int(index)] + CountCell(1, hit)
        if cell.x >= cap { cell *= 1 - 1 / cap }
        cells[Int(index)] = cell
    }

}

/// The same for the cells of single units: many, and growing with the units.
struct UnitCountTable: Sendable {
    var cells = Blocks<CountCell>()
    let cap: Float

    init(cap: Float) { self.cap = cap }

    @inline(__always)
    func estimate(_ index: Int, parent: Float, strength: Float) -> Float {
        let cell = cells[index]
        return (cell.y + strength * parent) / (cell.x + strength)
    }

    @inline(__always)
    mutating func learn(_ index: Int32, _ hit: Float) {
        var cell = cells[Int(index)] + CountCell(1, hit)
        if cell.x >= cap { cell *= 1 - 1 / cap }
        cells[Int(index)] = cell
    }

    mutating func grow(by count: Int) { cells.append(repeating: .zero, count: count) }

    mutating func clear(_ range: Range<Int>) {
        for index in range { cells[index] = .zero }
    }
}
