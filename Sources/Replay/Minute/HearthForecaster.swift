package import Forecast

/// The agent's occurrence model in the minute replay.
package struct HearthForecaster: MinuteForecaster {
    private var model: OccurrenceModel
    /// The model's slot of each unit, made at its first activity.
    private var slots: [UInt32?]
    private var isActive: [Bool]
    private let origin: Int

    /// `originMinute` places minute 0 in the hour, the day and the week; see `Trace.originMinute`.
    package init(units: Int, originMinute: Int, model: OccurrenceModel = OccurrenceModel()) {
        self.model = model
        slots = [UInt32?](repeating: nil, count: units)
        isActive = [Bool](repeating: false, count: units)
        // The model's minutes must not be negative; whole weeks keep the phase.
        let week = 7 * 1440
        origin = ((originMinute % week) + week) % week
    }

    /// What was learned of all units together, for `Prior`.
    func prior() -> [UInt8] { model.prior() }

    /// The chance of each of `count` minutes from `minute` on, given none before it.
    mutating func hazards(unit: Int, from minute: Int, count: Int) -> [Float] {
        guard let slot = slots[unit] else { return [] }
        return model.hazards(slot, from: origin + minute, count: count)
    }

    package mutating func step(
        minute: Int, active: ArraySlice<Int32>, calls: ArraySlice<UserCall>, logOdds: inout [Float]
    ) {
        for unit in active {
            isActive[Int(unit)] = true
            if slots[Int(unit)] == nil { slots[Int(unit)] = model.addUnit() }
        }
        for call in calls {
            guard let slot = slots[Int(call.unit)] else { continue }
            model.called(slot, by: UInt32(call.user), minute: origin + minute)
        }
        for unit in slots.indices {
            guard let slot = slots[unit] else { continue }
            model.observe(slot, active: isActive[unit], minute: origin + minute)
            isActive[unit] = false
            logOdds[unit] = model.predictLogOdds(slot, minute: origin + minute + 1)
        }
    }
}
