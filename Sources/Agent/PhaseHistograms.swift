package import Wire

/// Where an invocation's time went, in the order of the protocol's Phase.
package enum LatencyPhase: Int, Sendable, CaseIterable {
    case queued
    case sandbox
    case initialization
    case run
    case total

    package var wire: HearthPhase {
        switch self {
        case .queued: .queued
        case .sandbox: .sandbox
        case .initialization: .init_
        case .run: .run
        case .total: .total
        }
    }
}

/// The histograms of all phases of one function and start kind, in one array: most functions fill a few dozen cells, and an
/// array of every count that HdrHistogram's layout has (3,840) would take 30 KB for each phase.
package struct PhaseHistograms: Sendable {
    /// Two digits: a value is known to 1 %. 1024 ns is the clock's worth of a start; 2^46 ns are 19 hours.
    package static let significantDigits = 2
    package static let lowest: UInt64 = 1024
    package static let highest: UInt64 = 1 << 46 - 1
    // Constant arguments inside the type's range: never nil.
    private static let layout = HistogramLayout(significantDigits: significantDigits, lowest: lowest)

    /// Ascending by phase and index: phase in the 4 highest bits, index in the next 12, the count below.
    private(set) var cells: [UInt64] = []
    private var sums = InlineArray<5, UInt64>(repeating: 0)
    private var least = InlineArray<5, UInt64>(repeating: .max)
    private var most = InlineArray<5, UInt64>(repeating: 0)

    private static let countBits: UInt64 = 48
    private static let countMask: UInt64 = 1 << 48 - 1

    package init() {}

    /// Counts one value, in nanoseconds.
    /// - Parameter coarsely: take the nearest cell that the phase has already, so that memory does not grow.
    package mutating func record(_ phase: LatencyPhase, _ value: UInt64, coarsely: Bool = false) {
        let slot = phase.rawValue
        sums[slot] &+= value
        least[slot] = min(least[slot], value)
        most[slot] = max(most[slot], value)
        let index = Self.layout?.index(of: min(value, Self.highest)) ?? 0
        add(1, at: UInt64(slot) << 12 | UInt64(index), coarsely: coarsely)
    }

    package mutating func merge(_ other: PhaseHistograms, coarsely: Bool = false) {
        for slot in LatencyPhase.allCases.map(\.rawValue) {
            sums[slot] &+= other.sums[slot]
            least[slot] = min(least[slot], other.least[slot])
            most[slot] = max(most[slot], other.most[slot])
        }
        guard !coarsely else {
            for cell in other.cells { add(cell & Self.countMask, at: cell >> Self.countBits, coarsely: true) }
            return
        }
        var merged: [UInt64] = []
        merged.reserveCapacity(max(cells.count, other.cells.count))
        var mine = 0
        var theirs = 0
        while mine < cells.count || theirs < other.cells.count {
            let a = mine < cells.count ? cells[mine] : .max
            let b = theirs < other.cells.count ? other.cells[theirs] : .max
            if a >> Self.countBits == b >> Self.countBits {
                merged.append(Self.grown(a, by: b & Self.countMask))
                mine += 1
                theirs += 1
            } else if a < b {
                merged.append(a)
                mine += 1
            } else {
                merged.append(b)
                theirs += 1
            }
        }
        cells = merged
    }

    private static func grown(_ cell: UInt64, by count: UInt64) -> UInt64 {
        // 2^48 of one length would take longer than the machine lives; the count then stands still.
        cell & ~countMask | min(cell & countMask + count, countMask)
    }

    private mutating func add(_ count: UInt64, at key: UInt64, coarsely: Bool) {
        var low = 0
        var high = cells.count
        while low < high {
            let middle = (low + high) / 2
            if cells[middle] >> Self.countBits < key { low = middle + 1 } else { high = middle }
        }
        if low < cells.count, cells[low] >> Self.countBits == key {
            cells[low] = Self.grown(cells[low], by: count)
            return
        }
        if coarsely {
            // The next longer one of the same phase, so that no percentile becomes too low; else the longest there is.
            for near in [low, low - 1] where cells.indices.contains(near) {
                guard cells[near] >> 60 == key >> 12 else { continue }
                cells[near] = Self.grown(cells[near], by: count)
                return
            }
        }
        cells.insert(key << Self.countBits | count, at: low)
    }

    /// The histogram of a phase as the protocol has it; nil where nothing was counted.
    package func wire(_ phase: LatencyPhase) -> HearthHistogram? {
        let slot = phase.rawValue
        guard most[slot] > 0 || least[slot] == 0 else { return nil }
        var histogram = HearthHistogram()
        histogram.significantDigits = UInt32(Self.significantDigits)
        histogram.lowestNs = Self.lowest
        histogram.highestNs = Self.highest
        histogram.sumNs = sums[slot]
        histogram.minNs = least[slot]
        histogram.maxNs = most[slot]
        var last: UInt64 = 0
        for cell in cells where cell >> 60 == UInt64(slot) {
            let index = cell >> Self.countBits & 0xfff
            histogram.indexDeltas.append(UInt32(index - last))
            histogram.counts.append(cell & Self.countMask)
            histogram.total += cell & Self.countMask
            last = index
        }
        return histogram
    }
}
