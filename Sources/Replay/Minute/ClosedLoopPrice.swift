import Glibc

/// Holds a target online by moving the price, with nothing known of the trace ahead.
///
/// It keeps what the recent past would have cost at every price (forgetting half of it every `halfLifeMinutes`), sets
/// the price that would have met the target, and corrects for what has been over- or underspent so far. A price that
/// moves slowly buys the most for its memory, so the half-life is long.
package struct ClosedLoopPrice: PriceRule {
    package enum Target: Sendable, Equatable {
        /// Loaded-idle minutes relative to what a fixed keep-alive of ten minutes wastes meanwhile.
        case wasteRatio(Double)
        /// Loaded-idle minutes of all units together a minute: memory over the size of a unit.
        case idleLoaded(Double)
        /// Cold starts by active minute, first-ever ones included.
        case coldShare(Double)
    }

    private let target: Target
    private let keep: Float
    private let horizon: Double
    private var idleHistory = LogOddsHistogram()
    private var activeHistory = LogOddsHistogram()
    private var minutes = 0.0
    private var recentMinutes = 0.0
    private var recentReference = 0.0
    private var spent = 0.0
    private var allowed = 0.0
    private var step: Int
    private var reference: FixedWaste

    /// `lambda` is where it starts, before it has seen anything.
    package init(
        _ target: Target, trace: MinuteTrace, halfLifeMinutes: Double = 360, lambda: Double = 0.03
    ) {
        self.target = target
        keep = Float(exp2(-1 / halfLifeMinutes))
        horizon = halfLifeMinutes / 2
        step = ForecastTape.step(lambda: lambda)
        reference = FixedWaste(trace, keepMinutes: 10)
    }

    package mutating func price(minute: Int) -> (keep: Int, load: Int) { (step, step) }

    package mutating func observe(_ minute: MinuteSummary) {
        minutes += 1
        idleHistory.decay(keep, adding: minute.idleForecasts)
        activeHistory.decay(keep, adding: minute.activeForecasts)
        recentMinutes = recentMinutes * Double(keep) + 1
        let fixed = Double(reference.waste(in: minute.minute))
        recentReference = recentReference * Double(keep) + fixed
        switch target {
        case .wasteRatio(let ratio):
            spent += Double(minute.idleLoaded)
            allowed += ratio * fixed
            steer(wanted: ratio * recentReference / recentMinutes)
        case .idleLoaded(let level):
            spent += Double(minute.idleLoaded)
            allowed += level
            steer(wanted: level)
        case .coldShare(let share):
            spent += Double(minute.cold)
            allowed += share * Double(minute.active)
            steer(missing: share)
        }
    }

    /// Sets the price for `wanted` loaded-idle units a minute, plus paying back or using up the balance.
    private mutating func steer(wanted: Double) {
        let rate = max(0, wanted + (allowed - spent) / min(horizon, minutes))
        step = idleHistory.step(whereAboveIs: Float(rate * recentMinutes))
    }

    /// Sets the price at which `share` of the active minutes find their unit not loaded, corrected by the balance.
    ///
    /// First uses are cold at any price: they are counted, and what they overspend is paid back slowly. Paid back at once, the
    /// first hours of a node would keep everything (twice the waste for the same cold starts in the end).
    private mutating func steer(missing share: Double) {
        let total = Double(activeHistory.total)
        let known = Double(activeHistory.known)
        guard known > 0 else { return }
        let horizon = min(max(minutes / 4, Self.shortestPayback), Self.longestPayback)
        let balance = (allowed - spent) / (horizon * total / recentMinutes)
        let missing = share + balance - (total - known) / total
        let least = share / 2 * exp2(-minutes / Self.settling)
        let avoidable = min(max(missing, least), 3 * share) * total / known
        step = activeHistory.step(whereAboveIs: Float(known * max(0, 1 - avoidable)))
    }

    /// A quarter of the time so far, within these: minutes in which a balance of cold starts is paid back.
    private static let shortestPayback = 120.0
    private static let longestPayback = 1440.0
    /// Half-life of what is missed on purpose while first uses overspend.
    private static let settling = 720.0
}

/// What a fixed keep-alive wastes in each minute, as it goes along.
struct FixedWaste {
    private let keepMinutes: Int
    private let starts: [Int]
    private let units: [Int32]
    private var last: [Int32]

    init(_ trace: MinuteTrace, keepMinutes: Int) {
        self.keepMinutes = keepMinutes
        starts = trace.minuteStart
        units = trace.activeUnits
        last = [Int32](repeating: Int32.min / 2, count: trace.units.count)
    }

    /// Minutes must be asked for in order.
    mutating func waste(in minute: Int) -> Int {
        for unit in units[starts[minute]..<starts[minute + 1]] { last[Int(unit)] = Int32(minute) }
        return recent(minute)
    }

    private func recent(_ minute: Int) -> Int {
        // Only units active in the last `keepMinutes` can be kept: their lists are short.
        var count = 0
        let first = max(0, minute - keepMinutes)
        for past in first..<max(first, minute) {
            for unit in units[starts[past]..<starts[past + 1]] where last[Int(unit)] == Int32(past) { count += 1 }
        }
        return count
    }
}
