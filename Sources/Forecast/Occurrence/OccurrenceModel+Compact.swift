extension OccurrenceModel {
    /// Gives the storage of removed units back: the last units move to the free slots. Returns who moved, from and to; nothing
    /// moves where callers are known, whose trails name slots.
    package mutating func compact() -> [(from: UInt32, to: UInt32)] {
        guard !freeSlots.isEmpty, !presence.isInformed else { return [] }
        let kept = unitCount
        let holes = freeSlots.filter { $0 < kept }.sorted()
        let unused = Set(freeSlots)
        let last = (kept..<units.count).filter { !unused.contains(UInt32($0)) }
        var moves: [(from: UInt32, to: UInt32)] = []
        for (from, hole) in zip(last, holes) {
            let to = Int(hole)
            units[to] = units[from]
            // It points to the cells of the old slot.
            units[to].pending = Pending()
            history.move(from, to: to)
            tables.moveUnit(from, to: to)
            mixer.move(
                set: 1, from: from % OccurrenceMixer.unitSets, to: to % OccurrenceMixer.unitSets)
            refinement.move(unit: from, to: to)
            moves.append((UInt32(from), hole))
        }
        units = Array(units.prefix(kept))
        history.truncate(to: kept)
        tables.truncate(to: kept)
        freeSlots = []
        return moves
    }
}
