/// A minute of a unit, as the replay and the engine tell it.
package struct MinuteLesson: Sendable {
    package var unit: UInt32
    package var minute: Int
    package var active: Bool
    package var count: Int

    package init(unit: UInt32, minute: Int, active: Bool, count: Int = 1) {
        self.unit = unit
        self.minute = minute
        self.active = active
        self.count = count
    }
}

extension OccurrenceModel: Model {
    package mutating func update(_ lesson: MinuteLesson) {
        observe(lesson.unit, active: lesson.active, count: lesson.count, minute: lesson.minute)
    }

    /// The hazards of the coming minutes.
    package mutating func predict(_ question: (unit: UInt32, minute: Int, count: Int)) -> [Float] {
        hazards(question.unit, from: question.minute, count: question.count)
    }

    package var memoryBytes: Int {
        units.count * (MemoryLayout<UnitState>.stride + UnitHistory.bytesPerUnit + WeekTable.bytesPerUnit)
            + (tables.own.cells.count + OccurrenceTables.sharedCells) * MemoryLayout<CountCell>.stride
            + mixer.memoryBytes + refinement.memoryBytes + presence.memoryBytes
    }

    /// Bytes of one unit's state.
    package static var bytesPerUnit: Int {
        MemoryLayout<UnitState>.stride + UnitHistory.bytesPerUnit + WeekTable.bytesPerUnit
            + OccurrenceTables.Own.width * MemoryLayout<CountCell>.stride
    }

    /// Removes the units that were silent longest. Their slots are used again; `compact` gives their storage back.
    package mutating func forget(toFit bytes: Int) {
        let held = unitCount * Self.bytesPerUnit
        guard held > bytes else { return }
        let unused = Set(freeSlots)
        let oldest = units.indices.filter { !unused.contains(UInt32($0)) }
            .sorted { units[$0].lastActive < units[$1].lastActive }
        for index in oldest.prefix((held - bytes + Self.bytesPerUnit - 1) / Self.bytesPerUnit) {
            removeUnit(UInt32(index))
        }
    }
}
