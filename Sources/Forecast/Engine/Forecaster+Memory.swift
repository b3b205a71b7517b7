extension Forecaster {
    /// Bytes held, estimated from the sizes of all tables.
    package var memoryBytes: Int {
        occurrence.memoryBytes + intervals.memoryBytes + next.memoryBytes + dependencies.memoryBytes
            + functionNames.memoryBytes + userNames.memoryBytes + topicNames.memoryBytes
            + functions.capacity * MemoryLayout<FunctionState?>.stride
            + plans.capacity * 16
            + plans.values.reduce(0) { $0 + 32 + $1.capacity * MemoryLayout<PlannedWindow>.stride }
            + functions.reduce(0) {
                guard let state = $1 else { return $0 }
                return $0 + state.expectations.capacity * MemoryLayout<Expectation>.stride
                    + (state.sample == nil ? 0 : 160)
            }
    }

    /// Forgets the least valuable history until `bytes` are held at most: sequences and users silent longest first, then weak
    /// dependencies, then the functions silent longest. Takes as long as a save: every table is rebuilt.
    ///
    /// - Returns: the bytes held afterwards. More than `bytes` is left only where there is no history to forget any more: the tables
    ///   that all functions share, the names (see `intern`), and the plan in force.
    @discardableResult
    package mutating func forget(toFit bytes: Int) -> Int {
        guard memoryBytes > bytes else { return memoryBytes }
        plans = plans.filter { $0.value.contains { $0.end > latest } }
        // What the sequences keep of all, however little room there is.
        forgetSequences(over: memoryBytes - bytes, least: bytes / 8)
        if memoryBytes > bytes { dependencies.forget(toFit: bytes / 16) }
        while case let over = memoryBytes - bytes, over > 0, occurrence.unitCount > 0 {
            forgetOldestFunctions(over / OccurrenceModel.bytesPerUnit + 1)
            compactFunctions()
        }
        if case let over = memoryBytes - bytes, over > 0 { forgetSequences(over: over, least: 0) }
        if case let over = memoryBytes - bytes, over > 0 {
            dependencies.forget(toFit: max(0, dependencies.memoryBytes - over))
        }
        return memoryBytes
    }

    private mutating func forgetSequences(over: Int, least: Int) {
        next.forget(toFit: max(least, next.memoryBytes - over))
        releaseUnknownUsers()
        userNames.compact()
    }

    /// Gives back the storage that forgotten functions had.
    private mutating func compactFunctions() {
        let moved = Dictionary(uniqueKeysWithValues: occurrence.compact().map { ($0.from, $0.to) })
        for index in functions.indices {
            if let unit = functions[index]?.unit, let slot = moved[unit] { functions[index]?.unit = slot }
        }
        let known = (functions.lastIndex { $0 != nil } ?? -1) + 1
        functions = Array(functions.prefix(known))
        intervals.compact()
        cursor = 0
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
        plans[number] = nil
    }
}
