import Glibc

extension IntervalModel {
    /// Gaps within this share of one another count as the same.
    private static let sameness: Float = 0.15
    /// A cluster of gaps must hold this much of what is still possible.
    private static let smallestShare: Float = 0.5

    /// The time in seconds in which the next call is due if most gaps were alike; nil where they were not, before three
    /// of them, and when the time is over. 24 x 24 comparisons.
    package func regularGap(_ function: UInt32, at time: Double) -> (start: Double, end: Double, probability: Float)? {
        guard let (gaps, weights, last) = recent(function), gaps.count >= 3 else { return nil }
        let idle = Float(time - last)
        let latest = idle > 0 ? logf(idle) : -.infinity
        var possible = floorShare(after: idle)
        var best: (weight: Float, low: Float, high: Float)?
        for (index, center) in gaps.enumerated() {
            // A gap that has just passed may still be meant: half of the sameness later it is over.
            guard center + Self.sameness / 2 > latest else { continue }
            possible += weights[index]
            var found: (weight: Float, low: Float, high: Float) = (0, center, center)
            for (other, gap) in gaps.enumerated() where abs(gap - center) <= Self.sameness {
                found.weight += weights[other]
                found.low = min(found.low, gap)
                found.high = max(found.high, gap)
            }
            if found.weight > best?.weight ?? 0 { best = found }
        }
        guard let best, best.weight >= Self.smallestShare * possible else { return nil }
        // A little room on both sides: the next gap may be the shortest or the longest yet.
        let start = last + Double(expf(best.low)) * 0.98
        let end = last + Double(expf(best.high)) * 1.05 + 0.25
        guard end > time else { return nil }
        return (start, end, min(0.99, best.weight / possible))
    }
}
