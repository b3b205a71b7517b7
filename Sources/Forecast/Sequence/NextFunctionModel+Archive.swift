extension NextFunctionModel {
    package var memoryBytes: Int {
        markov.memoryBytes + neighbors.memoryBytes + factors.memoryBytes + popularity.memoryBytes + stacker.memoryBytes
            + gate.memoryBytes
            + byArguments.memoryBytes + skips.memoryBytes + sessions.memoryBytes + users.memoryBytes
    }

    /// Gives every part the share of `bytes` that it holds now; the oldest histories go first. What is kept of the functions
    /// themselves and the weights stay.
    package mutating func forget(toFit bytes: Int) {
        // A table that shrinks by steps leaves more than its share, so the others are asked again; at last for all.
        for attempt in 0..<4 where memoryBytes > bytes {
            let tables =
                markov.memoryBytes + neighbors.memoryBytes + byArguments.memoryBytes + skips.memoryBytes
                + users.memoryBytes + sessions.memoryBytes + factors.userBytes
            let room = bytes - (memoryBytes - tables)
            let share = attempt == 3 || room <= 0 ? 0 : Double(room) / Double(max(1, tables))
            func part(_ held: Int) -> Int { Int(Double(held) * share) }
            markov.forget(toFit: part(markov.memoryBytes))
            neighbors.forget(toFit: part(neighbors.memoryBytes))
            byArguments.forget(toFit: part(byArguments.memoryBytes))
            skips.forget(toFit: part(skips.memoryBytes))
            factors.shrinkUsers(toFit: factors.memoryBytes - factors.userBytes + part(factors.userBytes))
            users.forget(toFit: part(users.memoryBytes))
            sessions.forget(toFit: part(sessions.memoryBytes))
        }
        asked = nil
    }

    package func save(to archive: inout ArchiveWriter) {
        archive.put(enabledMask)
        markov.save(to: &archive)
        neighbors.save(to: &archive)
        factors.save(to: &archive)
        popularity.save(to: &archive)
        byArguments.save(to: &archive)
        skips.save(to: &archive)
        sessions.save(to: &archive)
        users.save(to: &archive)
        stacker.save(to: &archive)
        gate.save(to: &archive)
        archive.putSparse(escapes)
        archive.put(UInt8(network == nil ? 0 : 1))
        network?.save(to: &archive)
    }

    package init(from archive: inout ArchiveReader) throws(ForecastError) {
        self.init()
        enabledMask = try archive.get(UInt32.self)
        markov = try MarkovModel(from: &archive)
        neighbors = try ItemNeighbors(from: &archive)
        factors = try FactorModel(from: &archive)
        popularity = try Popularity(from: &archive)
        byArguments = try SuccessorTable(from: &archive)
        skips = try SuccessorTable(from: &archive)
        sessions = try UserTable(from: &archive)
        users = try UserTable(from: &archive)
        stacker = try CandidateStacker(from: &archive)
        gate = try ChangeGate(from: &archive)
        try archive.require(stacker.sets == Self.sets, "weights of other contexts")
        try archive.getSparse(into: &escapes)
        let fewest = escapes.lazy.map(\.x).min() ?? 0
        try archive.require(fewest > 0, "no calls in a context")
        network = try archive.get(UInt8.self) == 1 ? try SequenceNetwork(from: &archive) : nil
    }
}
