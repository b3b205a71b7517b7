/// Where a value belongs in a log-linear histogram as HdrHistogram lays it out (http://hdrhistogram.org): buckets whose width
/// doubles, each cut into equal parts, so that a value is known to a number of significant decimal digits wherever it lies.
///
/// Two histograms of one layout are merged by adding the counts of equal indices.
public struct HistogramLayout: Sendable, Hashable {
    /// Decimal digits kept, 1 to 5.
    public let significantDigits: Int
    /// The smallest value told apart from 0, in nanoseconds; rounded down to a power of two.
    public let lowest: UInt64
    private let unitMagnitude: Int
    private let halfMagnitude: Int

    /// Nil where the digits are not 1 to 5, the lowest value is 0, or both together leave no room in 64 bits.
    public init?(significantDigits: Int, lowest: UInt64) {
        guard (1...5).contains(significantDigits), lowest > 0 else { return nil }
        var largestExact = 2
        for _ in 0..<significantDigits { largestExact *= 10 }
        // The parts of a bucket: the power of two that holds the largest value known exactly.
        let magnitude = Int.bitWidth - (largestExact - 1).leadingZeroBitCount
        let unit = UInt64.bitWidth - 1 - lowest.leadingZeroBitCount
        guard unit + magnitude <= 62 else { return nil }
        self.significantDigits = significantDigits
        self.lowest = 1 << UInt64(unit)
        unitMagnitude = unit
        halfMagnitude = magnitude - 1
    }

    public func index(of value: UInt64) -> Int {
        let mask: UInt64 = ((1 << UInt64(halfMagnitude + 1)) - 1) << UInt64(unitMagnitude)
        let bucket = 64 - unitMagnitude - (halfMagnitude + 1) - (value | mask).leadingZeroBitCount
        return bucket << halfMagnitude + Int(value >> UInt64(bucket + unitMagnitude))
    }

    /// The smallest value that has this index.
    public func lowestValue(at index: Int) -> UInt64 {
        let half = 1 << halfMagnitude
        guard index >= half else { return UInt64(max(0, index)) << UInt64(unitMagnitude) }
        let bucket = index >> halfMagnitude - 1
        let shift = bucket + unitMagnitude
        guard shift < 64 - halfMagnitude else { return .max }
        return UInt64(index & (half - 1) + half) << UInt64(shift)
    }

    /// The largest value that has this index: what a percentile is given as, so that it is never too low.
    public func highestValue(at index: Int) -> UInt64 {
        let next = lowestValue(at: index + 1)
        return next == .max ? .max : next - 1
    }
}

extension HearthHistogram {
    /// Nil where the message's layout is none.
    public var layout: HistogramLayout? {
        HistogramLayout(significantDigits: Int(significantDigits), lowest: lowestNs)
    }

    /// The counts by index, ascending. A message whose lists do not fit each other gives what fits.
    public var cells: [(index: Int, count: UInt64)] {
        var index = 0
        return zip(indexDeltas, counts).map { delta, count in
            index += Int(delta)
            return (index, count)
        }
    }

    /// Adds what `other` counted; false, and nothing changes, where the layouts differ. An empty message takes any.
    @discardableResult
    public mutating func merge(_ other: HearthHistogram) -> Bool {
        guard other.total > 0 else { return true }
        guard total > 0 else {
            self = other
            return true
        }
        guard significantDigits == other.significantDigits, lowestNs == other.lowestNs else { return false }
        var sums: [Int: UInt64] = [:]
        for (index, count) in cells { sums[index, default: 0] &+= count }
        for (index, count) in other.cells { sums[index, default: 0] &+= count }
        var last = 0
        indexDeltas = []
        self.counts = []
        for (index, count) in sums.sorted(by: { $0.key < $1.key }) {
            indexDeltas.append(UInt32(index - last))
            counts.append(count)
            last = index
        }
        highestNs = max(highestNs, other.highestNs)
        minNs = min(minNs, other.minNs)
        maxNs = max(maxNs, other.maxNs)
        total &+= other.total
        sumNs &+= other.sumNs
        return true
    }

    /// The value that `share` (0 to 1) of all values do not exceed, to the layout's precision; nil where nothing was counted.
    public func quantile(_ share: Double) -> UInt64? {
        guard let layout, total > 0 else { return nil }
        let rank = max(1, UInt64((min(max(share, 0), 1) * Double(total)).rounded(.up)))
        var seen: UInt64 = 0
        for (index, count) in cells {
            seen &+= count
            if seen >= rank { return min(layout.highestValue(at: index), maxNs) }
        }
        return maxNs
    }
}
