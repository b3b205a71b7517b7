/// Order statistics of a set of measurements.
package struct Percentiles: Sendable {
    private let sorted: [Int64]

    /// - Parameter values: at least one.
    package init?(_ values: [Int64]) {
        if values.isEmpty { return nil }
        sorted = values.sorted()
    }

    /// The nearest-rank percentile, always a value that was measured: the least one that `percent` % of all do not
    /// exceed. Out of range is taken as the nearest end.
    package func callAsFunction(_ percent: Int) -> Int64 {
        let rank = (sorted.count * min(max(percent, 0), 100) + 99) / 100
        return sorted[max(rank - 1, 0)]
    }
}
