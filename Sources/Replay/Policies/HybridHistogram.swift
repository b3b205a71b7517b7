/// The hybrid histogram policy of Shahrad et al., Serverless in the Wild (USENIX ATC 2020): learn each unit's idle
/// times, then prewarm just before the head of their distribution and unload behind its tail.
///
/// Idle times fall into bins of a minute up to `range`. If more than half lie beyond it, the next idle time comes from
/// a time series forecast with a margin of 15 %. If the bin counts vary enough (coefficient of variation >= 2), the
/// unit is loaded from the 5th percentile less 10 % to the 99th percentile plus 10 %; else for the whole range.
package struct HybridHistogram: IdleWindowPolicy {
    /// Where the next idle time comes from when the histogram does not reach.
    package enum OutOfBounds: Sendable {
        /// The mean of all idle times. The published comparison figures of prediction research used this one.
        case mean
        /// ARIMA with its order chosen by AICc, as the paper has it.
        case arima
    }

    private let range: Int
    private let outOfBounds: OutOfBounds
    private var bins: [Int]
    private var inBounds = 0
    private var sumOfSquares = 0
    private var beyond = 0
    private var total = 0
    private var recent: [Double] = []

    /// ARIMA looks at this many of the latest idle times; older ones describe another day.
    private static let seriesLength = 60

    package init(rangeMinutes: Int, outOfBounds: OutOfBounds) {
        range = rangeMinutes
        self.outOfBounds = outOfBounds
        bins = [Int](repeating: 0, count: rangeMinutes)
    }

    package mutating func windows(afterIdle idle: Int?) -> [IdleWindow] {
        if let idle { learn(idle) }
        return [window()]
    }

    private mutating func learn(_ idle: Int) {
        total += idle
        if case .arima = outOfBounds {
            recent.append(Double(idle))
            if recent.count > Self.seriesLength { recent.removeFirst() }
        }
        if idle < range {
            sumOfSquares += 2 * bins[idle] + 1
            bins[idle] += 1
            inBounds += 1
        } else {
            beyond += 1
        }
    }

    private func window() -> IdleWindow {
        let seen = inBounds + beyond
        guard seen > 0 else { return IdleWindow(0, range) }
        if 2 * beyond > seen {
            let next: Double
            switch outOfBounds {
            case .mean: next = Double(total) / Double(seen)
            case .arima: next = ARIMA.forecast(recent) ?? Double(total) / Double(seen)
            }
            let margin = 0.15
            return IdleWindow(Self.round(max(0, next) * (1 - margin)), Int((max(0, next) * (1 + margin)).rounded(.up)))
        }
        guard variation >= 2 else { return IdleWindow(0, range) }
        let head = percentileBin(0.05)
        let tail = percentileBin(0.99) + 1
        return IdleWindow(Self.round(0.9 * Double(head)), Self.round(1.1 * Double(tail)))
    }

    /// Coefficient of variation of the bin counts: their standard deviation over their mean.
    private var variation: Double {
        let mean = Double(inBounds) / Double(range)
        guard mean > 0 else { return 0 }
        return max(0, Double(sumOfSquares) / Double(range) - mean * mean).squareRoot() / mean
    }

    private func percentileBin(_ quantile: Double) -> Int {
        let wanted = quantile * Double(inBounds) - 1e-9
        var sum = 0
        for (bin, count) in bins.enumerated() {
            sum += count
            if Double(sum) >= wanted { return bin }
        }
        return range - 1
    }

    private static func round(_ value: Double) -> Int { Int(value.rounded(.toNearestOrEven)) }
}
