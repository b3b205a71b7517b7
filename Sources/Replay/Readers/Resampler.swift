import Glibc

/// Draws a smaller or differently weighted trace from a pool of minute rows.
package enum Resampler {
    /// `count` units from the pool's, drawn with `seed`. With `dailyTotals` each draw takes a total from there and one
    /// of the pool's rows nearest to it (by ratio), which undoes the bias of a pool towards hot functions. A row that
    /// is drawn again is shifted in time by a random number of minutes, circularly: copies at the same minutes would
    /// let a forecaster learn from one what it is asked about the other.
    package static func resample(
        _ trace: Trace, count: Int, dailyTotals: [Double], seed: UInt64
    ) throws(ReplayError) -> Trace {
        guard count > 0 else { throw .badOption(name: "resample", reason: "it must be a positive number of units") }
        guard trace.resolution != .invocations else {
            throw .badOption(name: "resample", reason: "only minute traces can be resampled")
        }
        var random = SplitMix64(state: seed)
        let pool = trace.units.map { (unit: $0, total: Double(max(1, $0.invocations(trace.resolution)))) }
            .sorted { ($0.total, $0.unit.id) < ($1.total, $1.unit.id) }
        let sizes = pool.map(\.total)
        let totals = dailyTotals.filter { $0 >= 1 }.sorted()
        var taken = [Int](repeating: 0, count: pool.count)
        var units: [TraceUnit] = []
        for draw in 0..<count {
            let index: Int
            if totals.isEmpty {
                index = random.below(pool.count)
            } else {
                index = nearest(to: totals[random.below(totals.count)], sizes, &random)
            }
            var unit = pool[index].unit
            if taken[index] > 0 {
                shift(&unit, by: 1 + random.below(max(1, trace.minutes - 1)), minutes: trace.minutes)
            }
            taken[index] += 1
            unit.id = "\(unit.id)#\(draw)"
            units.append(unit)
        }
        var result = trace
        result.units = units
        result.name = "\(trace.name) (\(count) resampled, seed \(seed))"
        return result
    }

    /// How many of the nearest rows one is picked from.
    private static let neighbours = 8

    private static func nearest(to total: Double, _ sorted: [Double], _ random: inout SplitMix64) -> Int {
        var low = 0
        var high = sorted.count
        while low < high {
            let middle = (low + high) / 2
            if sorted[middle] < total { low = middle + 1 } else { high = middle }
        }
        var from = low
        var to = low
        while to - from < min(neighbours, sorted.count) {
            let below = from > 0 ? log(total / sorted[from - 1]).magnitude : .infinity
            let above = to < sorted.count ? log(sorted[to] / total).magnitude : .infinity
            if below < above { from -= 1 } else { to += 1 }
        }
        return from + random.below(to - from)
    }

    private static func shift(_ unit: inout TraceUnit, by offset: Int, minutes: Int) {
        unit.activity = unit.activity.map {
            ActiveMinute(minute: Int32((Int($0.minute) + offset) % minutes), value: $0.value)
        }.sorted { $0.minute < $1.minute }
    }
}

/// Steele, Lea and Flood's splitmix64 (OOPSLA 2014): the same numbers for a seed on every machine.
struct SplitMix64: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }

    mutating func below(_ bound: Int) -> Int { Int.random(in: 0..<max(1, bound), using: &self) }
    /// Uniform in [0, 1).
    mutating func unit() -> Double { Double(next() >> 11) * 0x1p-53 }
}
