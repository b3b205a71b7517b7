import Glibc

/// Keep-alive by layer, after RainbowCake (ASPLOS 2024): a container is a bare sandbox, a language runtime and user
/// code, and each layer lives for its own time, from the arrivals that could use it.
///
/// The time to live of a layer is the quantile of the gap to its next arrival (taken as exponential, at the mean of the
/// latest gaps), but no longer than keeping it costs less than starting it. Here the user layer decides about cold
/// starts; the runtime layer beneath it outlives it at a part of the memory and makes a start cheaper, not warm, so
/// minute replay shows this policy's waste and cold starts of the user layer alone. `quantile` is the knob.
package struct LayeredTTL: IdleWindowPolicy {
    private let quantile: Double
    /// Weight of start cost against memory: minutes of keeping that are worth one start of the user layer.
    private let longest: Double
    private var gaps: [Int] = []

    private static let remembered = 6

    package init(quantile: Double, longestMinutes: Double = 60) {
        self.quantile = quantile
        longest = longestMinutes
    }

    package mutating func windows(afterIdle idle: Int?) -> [IdleWindow] {
        if let idle {
            gaps.append(idle + 1)
            if gaps.count > Self.remembered { gaps.removeFirst() }
        }
        guard !gaps.isEmpty else { return [IdleWindow(0, 9)] }
        let mean = Double(gaps.reduce(0, +)) / Double(gaps.count)
        let life = min(longest, -log(1 - quantile) * mean)
        let minutes = Int(life.rounded(.up))
        return minutes > 0 ? [IdleWindow(0, minutes - 1)] : []
    }
}
