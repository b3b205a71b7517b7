/// A unit's scalars.
struct UnitState: Sendable {
    /// The first active minute and the last one, -1 before the first.
    var firstActive: Int32 = -1
    var lastActive: Int32 = -1
    /// The last minute that was told of.
    var lastMinute: Int32 = -1
    var onsets: Int32 = 0
    var gapsSeen: Int32 = 0
    /// Mean gap in minutes, an exponential mean over about 20.
    var meanGap: Float = 0
    /// Gaps in the history.
    var gapCount: UInt16 = 0
    /// The commonest distance of onsets in minutes, 0 without any.
    var period: UInt16 = 0
    var match = GapMatch()
    var pending = Pending()
}

/// A forecast that waits for what happens: the cells it came from, the inputs and the weights.
struct Pending: Sendable {
    var minute: Int32 = -1
    var last: Int32 = 0
    var logOdds: Float = 0
    /// The same before the refinement.
    var mixed: Float = 0
    var place = Refinement.Place()
    var cells = OccurrenceCells()
    var inputs = Inputs.zero
    var selected = SIMD8<Int32>.zero
    var sets = SIMD8<Float>.zero
}

/// How busy all units together are: active units a minute, over ten minutes against a day.
struct Busyness: Sendable {
    var minute = 0
    var active: Float = 0
    var short: Float = 0
    var long: Float = 0
    /// One of eight classes of the ratio.
    var level = 0

    mutating func advance(to next: Int) {
        guard next > minute else { return }
        // Long silences: the short mean is gone after an hour, and nobody needs to count further.
        for step in 0..<min(next - minute, 64) {
            short += ((step == 0 ? active : 0) - short) / 10
            long += ((step == 0 ? active : 0) - long) / Float(min(1440, minute + step + 2))
        }
        active = 0
        minute = next
        let ratio = short / max(long, 1e-3)
        level =
            ratio < 0.9
            ? ratio < 0.15 ? 0 : ratio < 0.3 ? 1 : ratio < 0.6 ? 2 : 3
            : ratio < 1.2 ? 4 : ratio < 1.6 ? 5 : ratio < 2.2 ? 6 : 7
    }
}
