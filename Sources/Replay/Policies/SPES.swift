/// The categories of SPES (ICDE 2024), learned online: what kind of unit is this, and so when is it needed next?
///
/// The paper sorts functions by their waiting times (WT: idle minutes between uses) over twelve days of training; here
/// each unit is sorted anew at each use from the waiting times so far, so that it starts from empty like the others.
/// Its validation-picked categories (pulsed, possible) are one here: the repeated waiting times.
package struct SPES: IdleWindowPolicy {
    /// A unit's kind, in the order in which the paper tries them.
    package enum Category: Sendable, Equatable {
        case unknown, alwaysWarm, regular, approximatelyRegular, dense, successive, possible
    }

    /// Prewarm this many minutes around a predicted time.
    private static let margin = 2
    /// Unload a unit that is not predicted this long after its use; dense ones are given five minutes.
    private static let giveUp = 1
    private static let denseGiveUp = 5
    private static let remembered = 400

    private var waits: [Int] = []
    private var activeRun = 0
    private var shortestRun = Int.max
    private var idleMinutes = 0
    private var activeMinutes = 0

    package init() {}

    package mutating func windows(afterIdle idle: Int?) -> [IdleWindow] {
        activeMinutes += 1
        if let idle, idle > 0 {
            waits.append(idle)
            if waits.count > Self.remembered { waits.removeFirst() }
            idleMinutes += idle
            shortestRun = min(shortestRun, activeRun)
            activeRun = 0
        }
        activeRun += 1
        switch category() {
        case .alwaysWarm: return [.forever]
        case .regular: return around([median(waits)])
        case .approximatelyRegular, .possible: return around(modes(3).filter { $0.count > 1 }.map(\.wait))
        case .dense: return [IdleWindow(0, max(Self.denseGiveUp, percentile(0.9)) - 1)]
        // A wave of calls has begun: hold on while it lasts.
        case .successive: return [IdleWindow(0, Self.denseGiveUp - 1)]
        case .unknown: return [IdleWindow(0, Self.giveUp - 1)]
        }
    }

    /// The unit's category by what has been seen of it so far.
    package func category() -> Category {
        let seen = idleMinutes + activeMinutes
        // A thousandth of idle minutes says something only once a thousand minutes have been seen.
        if activeMinutes >= 10 && Double(idleMinutes) < 0.001 * Double(max(seen, 1000)) { return .alwaysWarm }
        if waits.count > 3 {
            let low = percentile(0.05)
            let high = percentile(0.95)
            if high - low < 1 { return .regular }
            let mean = Double(waits.reduce(0, +)) / Double(waits.count)
            let variance = waits.reduce(0.0) { $0 + (Double($1) - mean) * (Double($1) - mean) } / Double(waits.count)
            if variance.squareRoot() <= 0.01 * mean { return .regular }
        }
        if waits.count >= 3 {
            let top = modes(3)
            let covered = top.reduce(0) { $0 + $1.count }
            if let first = top.first, first.count > 1, Double(covered) >= 0.9 * Double(waits.count) {
                return .approximatelyRegular
            }
        }
        if waits.count >= 3 && percentile(0.9) < Self.denseGiveUp { return .dense }
        if shortestRun != Int.max && shortestRun >= 10 { return .successive }
        if modes(1).first.map({ $0.count > 1 }) ?? false { return .possible }
        return .unknown
    }

    /// Loaded right after the use, and around each predicted wait.
    private func around(_ predicted: [Int]) -> [IdleWindow] {
        var windows = [IdleWindow(0, Self.giveUp - 1)]
        for wait in predicted.sorted() {
            let next = IdleWindow(max(0, wait - Self.margin), wait + Self.margin)
            if let last = windows.last, next.lower <= last.upper + 1 {
                windows[windows.count - 1].upper = max(last.upper, next.upper)
            } else {
                windows.append(next)
            }
        }
        return windows
    }

    /// The most frequent waits, the most frequent first, shorter ones first among equals.
    private func modes(_ wanted: Int) -> [(wait: Int, count: Int)] {
        var counts: [Int: Int] = [:]
        for wait in waits { counts[wait, default: 0] += 1 }
        let sorted = counts.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
        return sorted.prefix(wanted).map { (wait: $0.key, count: $0.value) }
    }

    private func median(_ values: [Int]) -> Int { values.sorted()[values.count / 2] }

    private func percentile(_ quantile: Double) -> Int {
        Int(Percentile.linear(waits.map(Double.init), quantile).rounded())
    }
}
