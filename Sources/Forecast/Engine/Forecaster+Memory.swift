extension Forecaster {
    /// Bytes held, estimated from the sizes of all tables.
    package var memoryBytes: Int {
        occurrence.memoryBytes + intervals.memoryBytes + next.memoryBytes + dependencies.memoryBytes
            + functionNames.memoryBytes + userNames.memoryBytes + topicNames.memoryBytes
            + functions.capacity * MemoryLayout<FunctionState?>.stride
            + functions.reduce(0) {
                guard let state = $1 else { return $0 }
                return $0 + state.expectations.capacity * MemoryLayout<Expectation>.stride
                    + (state.sample == nil ? 0 : 160)
            }
    }

    /// Forgets the least valuable history until about `bytes` are held: sequences and users silent longest first, then
    /// weak dependencies, then the functions silent longest.
    package mutating func forget(toFit bytes: Int) {
        guard memoryBytes > bytes else { return }
        let others = memoryBytes - next.memoryBytes - userNames.memoryBytes
        next.forget(toFit: max(bytes / 8, bytes - others))
        releaseUnknownUsers()
        guard memoryBytes > bytes else { return }
        dependencies.forget(toFit: bytes / 16)
        let over = memoryBytes - bytes
        if over > 0 { forgetOldestFunctions((over + OccurrenceModel.bytesPerUnit - 1) / OccurrenceModel.bytesPerUnit) }
    }

    mutating func forgetUsers(to count: Int) {
        next.users.shrink(to: count)
        releaseUnknownUsers()
        // Those who were named but never called anything.
        if userNames.count > count + count / 8 {
            next.users.shrink(to: 0)
            releaseUnknownUsers()
        }
    }

    private mutating func releaseUnknownUsers() {
        for number in 0..<UInt32(userNames.capacity) where userNames.name(number) != nil {
            guard !next.knows(user: number) else { continue }
            next.remove(user: number)
            userNames.release(number)
        }
    }

    /// Forgets the histories of the `count` functions that were silent longest; their names stay.
    mutating func forgetOldestFunctions(_ count: Int) {
        let oldest = functions.indices.filter { functions[$0] != nil }
            .sorted { (functions[$0]?.lastCall ?? 0) < (functions[$1]?.lastCall ?? 0) }
        for index in oldest.prefix(count) { forget(UInt32(index)) }
    }

    /// Forgets a function's own history, as when it is deleted.
    package mutating func forget(_ function: UInt32) {
        let index = Int(function)
        guard index < functions.count, let state = functions[index] else { return }
        occurrence.removeUnit(state.unit)
        intervals.remove(function)
        functions[index] = nil
    }

    /// Forgets a function that was deleted: its history and its dependencies. Sequences of users go on to hold its
    /// number until others take their place; nothing is made of it that `functions` does not know.
    package mutating func remove(_ function: String) {
        guard let number = functionNames.find(function) else { return }
        forget(number)
        dependencies.remove(number)
        changed.remove(number)
    }
}
