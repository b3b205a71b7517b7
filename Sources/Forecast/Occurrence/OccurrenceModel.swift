/// Whether a unit (a function, or a model) is active in the coming minute: P, from its idle time, the pattern and the
/// period of its gaps, and the time of the hour, the day and the week.
///
/// Fifteen estimates, each a hit frequency in a context shrunk to that of a coarser context, are stacked by learned
/// weights and refined by what became of forecasts like this one (`Refinement`). Where callers are known, who of them is
/// about tells what idle times cannot (`PresenceModel`). Tables by unit know that unit alone; global tables know all units and are what a unit with a thin history
/// is forecast by. The chain of empirical-Bayes parents goes back to the hybrid histogram (Shahrad et al., ATC 2020),
/// the match of gaps and the two-layer mixing to PAQ (Mahoney 2005). O(1) a unit and minute but for a scan of the last
/// 400 gaps; about 2 us and 7 KB a unit.
///
/// Call `predict` for a minute, then `observe` the same minute; minutes of a unit must not go back.
package struct OccurrenceModel: Sendable {
    var tables = OccurrenceTables()
    var mixer = OccurrenceMixer.make()
    var history = UnitHistory()
    var units: [UnitState] = []
    var freeSlots: [UInt32] = []
    var busyness = Busyness()
    var refinement = Refinement()
    var presence: PresenceModel
    /// Left out of every forecast; all are in by default.
    package var without: OccurrenceSource.Set = []

    /// `users` is how many callers are remembered.
    package init(users: Int = 100_000) { presence = PresenceModel(capacity: users) }

    /// Units that are in use.
    package var unitCount: Int { units.count - freeSlots.count }

    /// A slot for a unit's state; slots of removed units are used again.
    package mutating func addUnit() -> UInt32 {
        let slot = freeSlots.popLast() ?? UInt32(units.count)
        if Int(slot) == units.count {
            units.append(UnitState())
            history.addUnit()
            tables.addUnit()
        }
        mixer.adopt(set: 1, context: Int(slot) % OccurrenceMixer.unitSets, general: 0)
        refinement.clear(unit: Int(slot))
        return slot
    }

    /// Forgets a unit.
    package mutating func removeUnit(_ unit: UInt32) {
        history.clear(Int(unit))
        tables.clearUnit(Int(unit))
        presence.forget(unit)
        units[Int(unit)] = UnitState()
        freeSlots.append(unit)
    }

    /// The probability that `unit` is active in `minute` (minutes since midnight of any day), given all that `observe`
    /// told; 0 before its first activity. Asking twice costs little.
    package mutating func predict(_ unit: UInt32, minute: Int) -> Float {
        let logOdds = predictLogOdds(unit, minute: minute)
        return logOdds == -.infinity ? 0 : LogOdds.probability(logOdds)
    }

    /// The same as log-odds; -infinity before the first activity.
    package mutating func predictLogOdds(_ unit: UInt32, minute: Int) -> Float {
        let index = Int(unit)
        guard units[index].lastActive >= 0 else { return -.infinity }
        prepare(index, minute)
        return units[index].pending.logOdds
    }

    /// The probability of activity in each of the `count` minutes from `minute` on, each given that the minutes before
    /// it stay idle. Empty before the first activity. About 1.5 us a minute.
    package mutating func hazards(_ unit: UInt32, from minute: Int, count: Int) -> [Float] {
        let index = Int(unit)
        guard units[index].lastActive >= 0, count > 0 else { return [] }
        prepare(index, minute)
        var hazards = [LogOdds.probability(units[index].pending.logOdds)]
        var pending = Pending()
        for ahead in 1..<max(1, count) {
            forecast(index, minute + ahead, into: &pending)
            hazards.append(LogOdds.probability(pending.logOdds))
        }
        return hazards
    }

    /// The probability of any activity in the first `horizon` of `hazards`.
    package static func probability(_ hazards: [Float], within horizon: Int) -> Float {
        1 - hazards.prefix(horizon).reduce(1) { $0 * (1 - $1) }
    }

    /// Notes who called `unit` in `minute`, beside `observe`. Minutes must not go back.
    package mutating func called(_ unit: UInt32, by user: UInt32, minute: Int) {
        presence.called(unit, by: user, minute: minute)
    }

    /// Learns whether `unit` was active in `minute`, with `count` invocations. Minutes left out are taken as idle
    /// without learning from them; a minute that was told of already is ignored.
    package mutating func observe(_ unit: UInt32, active: Bool, count: Int = 1, minute: Int) {
        let index = Int(unit)
        let last = Int(units[index].lastMinute)
        guard minute > last else { return }
        if units[index].lastActive >= 0 {
            prepare(index, minute)
            let pending = units[index].pending
            let hit: Float = active ? 1 : 0
            mixer.learn(
                pending.inputs, pending.selected, last: Int(pending.last), sets: pending.sets,
                logOdds: pending.mixed, hit: hit)
            refinement.learn(pending.place, hit)
            tables.learn(pending.cells, hit)
        } else if !active {
            return
        }
        if last >= 0 && minute > last + 1 { history.skip(index, last + 1..<minute) }
        units[index].lastMinute = Int32(truncatingIfNeeded: minute)
        let gap = units[index].lastActive < 0 ? 0 : minute - Int(units[index].lastActive)
        let onset = active && gap != 1
        if active {
            busyness.advance(to: minute)
            busyness.active += 1
            activate(index, minute, gap, onset: onset)
        }
        history.setActive(index, minute, active, onset: onset)
    }

    private mutating func activate(_ index: Int, _ minute: Int, _ gap: Int, onset: Bool) {
        if units[index].firstActive < 0 { units[index].firstActive = Int32(truncatingIfNeeded: minute) }
        units[index].lastActive = Int32(truncatingIfNeeded: minute)
        if gap > 0 {
            var stored = Int(units[index].gapCount)
            history.appendGap(index, gap, count: &stored)
            units[index].gapCount = UInt16(stored)
            units[index].gapsSeen &+= 1
            let weight = max(1 / 20, 1 / Float(units[index].gapsSeen))
            units[index].meanGap += weight * (Float(gap) - units[index].meanGap)
        }
        if onset {
            units[index].onsets &+= 1
            units[index].period = UInt16(history.countPeriods(index, minute, best: Int(units[index].period)))
        }
        units[index].match = match(index, atLeast: 1)
    }

    private func match(_ index: Int, atLeast k: Int) -> GapMatch {
        GapMatch(
            history.gaps, base: index * UnitHistory.gapsStored, count: Int(units[index].gapCount), atLeast: k)
    }

    /// Makes sure that the pending forecast is for `minute`.
    private mutating func prepare(_ index: Int, _ minute: Int) {
        guard units[index].pending.minute != Int32(truncatingIfNeeded: minute) else { return }
        busyness.advance(to: minute)
        presence.advance(to: minute)
        let k = minute - Int(units[index].lastActive)
        if units[index].match.gap > 0 && k > units[index].match.gap {
            units[index].match = match(index, atLeast: k)
        }
        var pending = Pending()
        forecast(index, minute, into: &pending)
        units[index].pending = pending
    }

    private func forecast(_ index: Int, _ minute: Int, into pending: inout Pending) {
        var match = without.has(.gaps) ? GapMatch() : units[index].match
        let k = minute - Int(units[index].lastActive)
        if match.gap > 0 && k > match.gap { match = self.match(index, atLeast: k) }
        let context = OccurrenceContext(
            units[index], history, index: index, minute: minute, match: match, without: without)
        pending.minute = Int32(truncatingIfNeeded: minute)
        let caller = presence.isInformed && !without.has(.users) ? presence.probability(index) : nil
        let busyness = without.has(.load) ? 0 : busyness.level
        tables.fill(
            &pending, context, unit: index, busyness: busyness, caller: caller, knowsUnit: !without.has(.unit))
        let mixed = mixer.mix(pending.inputs, pending.selected, last: Int(pending.last))
        pending.sets = mixed.sets
        pending.mixed = mixed.logOdds
        let own = without.has(.unit) ? 0 : index
        pending.place = refinement.place(
            mixed.logOdds, context.refinements(unit: own, presence: caller.map(PresenceModel.bin) ?? 0))
        pending.logOdds = refinement.refine(mixed.logOdds, pending.place)
    }
}
