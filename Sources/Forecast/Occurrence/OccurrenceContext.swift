import Glibc

/// What a forecast depends on, in classes.
struct OccurrenceContext {
    static let ranks = 5 * 4 * 9
    static let votes = 11

    /// Minutes from the last active one to the one that is forecast.
    let k: Int
    let fine: Int
    let coarse: Int
    /// 1.5 log2 of the mean gap, rounded.
    let rate: Int
    let experience: Int
    let counts: GapCounts
    let rank: Int
    let longerShare: Int
    let relation: Int
    /// Activity 5, 10, 15, 30 and about 60 minutes before, then k > 5.
    let bits: Int
    let wideBits: Int
    let minuteOfHour: Int
    let hour: Int
    let hourOfWeek: Int
    /// The unit is known for a week and more: what it does on other days tells of this one.
    let knowsWeek: Bool
    let matchLength: Int
    /// 0 without a gap that long.
    let matchGap: Int
    let periodStrength: Int
    let onsets: Int
    let periodBits: Int
    let vote: Int
    let gapPair: Int

    init(
        _ unit: UnitState, _ history: UnitHistory, index: Int, minute: Int, match: GapMatch,
        without: OccurrenceSource.Set
    ) {
        let k = minute - Int(unit.lastActive)
        self.k = k
        fine = IdleBins.fine(k)
        coarse = IdleBins.coarse(k)
        experience = IdleBins.experience(Int(unit.gapsSeen))
        rate = unit.gapsSeen == 0 ? 0 : min(IdleBins.rates - 1, Int((1.5 * log2f(max(1, unit.meanGap))).rounded()))
        let base = index * UnitHistory.gapsStored
        let count = without.has(.gaps) ? 0 : Int(unit.gapCount)
        let hasPeriods = !without.has(.periods)
        counts = GapCounts(history.gaps, base: base, count: count, k: k)
        rank = (min(counts.equal, 4) * 4 + min(counts.near, 3)) * 9 + min(counts.close, 8)
        let share = counts.total == 0 ? 0 : Float(counts.longer) / Float(counts.total)
        longerShare = share == 0 ? 0 : share < 0.05 ? 1 : share < 0.25 ? 2 : share < 0.7 ? 3 : 4
        let g1 = count > 0 ? Int(history.gaps[base + count - 1]) : 0
        let g2 = count > 1 ? Int(history.gaps[base + count - 2]) : 0
        let g3 = count > 2 ? Int(history.gaps[base + count - 3]) : 0
        let pair = IdleBins.relation(k, g1) * IdleBins.relations + IdleBins.relation(k, g2)
        let equal = (g1 == g2 && g1 > 0 ? 1 : 0) + (g2 == g3 && g2 > 0 ? 2 : 0)
        relation = (pair * IdleBins.relations + IdleBins.relation(k, g3)) * 4 + equal
        gapPair = (IdleBins.fine(g1) &* 37 &+ fine &* 5 &+ IdleBins.fine(g1) / 3) & 127
        // Minutes after the last active one are known to be idle, and may lie in the future.
        func active(_ back: Int) -> Int { hasPeriods && back >= k && history.wasActive(index, minute - back) ? 1 : 0 }
        bits =
            active(5) | active(10) << 1 | active(15) << 2 | active(30) << 3
            | (active(59) | active(60) | active(61)) << 4 | (k > 5 ? 1 << 5 : 0)
        wideBits = bits | active(20) << 6 | active(120) << 7
        let hasClock = !without.has(.clock)
        minuteOfHour = hasClock ? minute % 60 : 0
        hour = hasClock ? minute / 60 % 24 : 0
        hourOfWeek = hasClock ? minute / 60 % 168 : 0
        knowsWeek = hasClock && minute - Int(unit.firstActive) >= 10_080
        matchLength = match.length
        matchGap = match.gap >= k ? match.gap : 0
        onsets = IdleBins.octave(Int(unit.onsets))
        let period = hasPeriods ? Int(unit.period) : 0
        let scale = 1 / Float(max(1, unit.onsets))
        if period > 0 {
            periodStrength = Self.strength(Float(history.periodCount(index, period)) * scale)
            periodBits =
                active(period) | (active(period - 1) | active(period + 1)) << 1 | active(2 * period) << 2
        } else {
            periodStrength = 0
            periodBits = 0
        }
        let votes = hasPeriods ? history.periodVotes(index, minute, k: k) : (here: 0, beside: 0)
        vote = Self.vote(Float(votes.here) * scale) * Self.votes + Self.vote(Float(votes.beside) * scale)
    }

    /// The contexts of `Refinement`, in its order.
    func refinements(unit: Int, presence: Int) -> SIMD8<Int32> {
        SIMD8(
            Int32(coarse * 6 + experience), Int32(coarse * IdleBins.rates + rate), Int32(rank), Int32(vote),
            Int32(unit % OccurrenceMixer.unitSets), Int32(presence * 24 + hour), 0, 0)
    }

    /// Classes of the share of onsets that have another one period before.
    private static func strength(_ share: Float) -> Int {
        share < 0.5
            ? share < 0.1 ? 0 : share < 0.25 ? 1 : 2
            : share < 0.75 ? 3 : share < 0.9 ? 4 : share < 0.97 ? 5 : 6
    }

    private static func vote(_ share: Float) -> Int {
        if share == 0 { return 0 }
        if share < 0.2 { return share < 0.03 ? 1 : share < 0.06 ? 2 : share < 0.12 ? 3 : 4 }
        if share < 0.6 { return share < 0.3 ? 5 : share < 0.45 ? 6 : 7 }
        return share < 0.8 ? 8 : share < 0.95 ? 9 : 10
    }
}
