extension NextFunctionModel {
    package var memoryBytes: Int {
        markov.memoryBytes + neighbors.memoryBytes + factors.memoryBytes + popularity.memoryBytes + stacker.memoryBytes
            + byArguments.memoryBytes + skips.memoryBytes + sessions.memoryBytes + users.memoryBytes
    }

    /// Gives every part the share of `bytes` that it holds now; the oldest histories go first.
    package mutating func forget(toFit bytes: Int) {
        let held = memoryBytes
        guard held > bytes else { return }
        func share(_ part: Int) -> Int { Int(Double(part) / Double(max(1, held)) * Double(bytes)) }
        markov.forget(toFit: share(markov.memoryBytes))
        neighbors.forget(toFit: share(neighbors.memoryBytes))
        byArguments.forget(toFit: share(byArguments.memoryBytes))
        skips.forget(toFit: share(skips.memoryBytes))
        users.shrink(to: users.count * bytes / max(1, held))
        sessions.shrink(to: sessions.count * bytes / max(1, held))
    }

    package func save(to archive: inout ArchiveWriter) {
        markov.save(to: &archive)
        neighbors.save(to: &archive)
        factors.save(to: &archive)
        popularity.save(to: &archive)
        byArguments.save(to: &archive)
        skips.save(to: &archive)
        sessions.save(to: &archive)
        users.save(to: &archive)
        stacker.save(to: &archive)
        archive.putSparse(escapes)
        archive.put(UInt8(network == nil ? 0 : 1))
        network?.save(to: &archive)
    }

    package init(from archive: inout ArchiveReader) throws(ForecastError) {
        self.init()
        markov = try MarkovModel(from: &archive)
        neighbors = try ItemNeighbors(from: &archive)
        factors = try FactorModel(from: &archive)
        popularity = try Popularity(from: &archive)
        byArguments = try SuccessorTable(from: &archive)
        skips = try SuccessorTable(from: &archive)
        sessions = try UserTable(from: &archive)
        users = try UserTable(from: &archive)
        stacker = try CandidateStacker(from: &archive)
        try archive.require(stacker.sets == Self.sets, "weights of other contexts")
        try archive.getSparse(into: &escapes)
        let fewest = escapes.lazy.map(\.x).min() ?? 0
        try archive.require(fewest > 0, "no calls in a context")
        network = try archive.get(UInt8.self) == 1 ? try SequenceNetwork(from: &archive) : nil
    }
}
