extension Forecaster {
    /// The whole state as bytes: versioned, with a checksum. A copy of the engine can do this on another thread.
    package func save() -> [UInt8] {
        var archive = ArchiveWriter(kind: .engine)
        for number in [settings.functions, settings.users, settings.successors, settings.dependencies] {
            archive.put(UInt32(number))
        }
        functionNames.save(to: &archive)
        userNames.save(to: &archive)
        topicNames.save(to: &archive)
        occurrence.save(to: &archive)
        intervals.save(to: &archive)
        next.save(to: &archive)
        dependencies.save(to: &archive)
        for stacker in stackers { stacker.save(to: &archive) }
        for bin in 0..<16 { archive.put(userLags.counts[bin]) }
        archive.put(userTrials)
        archive.put(latest)
        archive.put(UInt32(functions.count))
        for state in functions {
            archive.put(UInt8(state == nil ? 0 : 1))
            guard let state else { continue }
            archive.put(state.unit)
            archive.put(state.lastCall > -.infinity ? state.lastCall : -1)
            archive.put(Int64(state.nextMinute))
        }
        return archive.finish()
    }

    /// The engine that `save` returned the bytes of. Damage and newer versions are refused; what was expected at the
    /// moment of saving is not kept, it is over by the time it is loaded.
    package init(_ bytes: [UInt8], sources: Set<ForecastSource> = Set(ForecastSource.allCases)) throws(ForecastError) {
        var archive = try ArchiveReader(bytes, kind: .engine)
        var settings = ForecastSettings()
        settings.functions = Int(try archive.get(UInt32.self))
        settings.users = Int(try archive.get(UInt32.self))
        settings.successors = Int(try archive.get(UInt32.self))
        settings.dependencies = Int(try archive.get(UInt32.self))
        settings.sources = sources
        try self.init(settings: settings)
        functionNames = try Interner(from: &archive)
        userNames = try Interner(from: &archive)
        topicNames = try Interner(from: &archive)
        occurrence = try OccurrenceModel(from: &archive)
        intervals = try IntervalModel(from: &archive)
        next = try NextFunctionModel(from: &archive)
        self.settings.usesNeighbors = next.enabled.contains(.neighbors)
        self.settings.usesNetwork = next.network != nil
        next.breadth = Self.breadth
        next.learningInterval = Self.learningInterval
        dependencies = try DependencyModel(from: &archive)
        stackers = []
        for _ in Self.horizons { stackers.append(try HorizonStacker(from: &archive)) }
        for bin in 0..<16 { userLags.counts[bin] = try archive.get(Float.self) }
        userTrials = try archive.get(Float.self)
        latest = try archive.get(Double.self)
        let count = try archive.count(size: 1)
        var taken = Set(occurrence.freeSlots)
        for index in 0..<count {
            guard try archive.get(UInt8.self) == 1 else {
                functions.append(nil)
                continue
            }
            let unit = try archive.get(UInt32.self)
            try archive.require(
                Int(unit) < occurrence.units.count && taken.insert(unit).inserted,
                "function \(index) has a history that is not there or another's")
            let lastCall = try archive.get(Double.self)
            let minute = try archive.get(Int64.self)
            try archive.require(minute >= 0 && minute < 1 << 31, "function \(index) is at minute \(minute)")
            functions.append(
                FunctionState(unit: unit, lastCall: lastCall < 0 ? -.infinity : lastCall, nextMinute: Int(minute)))
        }
        try archive.finish()
    }
}
