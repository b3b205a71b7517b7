/// What is kept of a user or a session: the latest functions and when the last one was.
package struct UserTrail: Sendable {
    static let recentKept = 8
    static let knownKept = 12
    /// Newest first; `Signal.nobody` where there is none.
    var recent = SIMD8<UInt32>(repeating: Signal.nobody)
    /// Distinct functions, the latest first.
    var known = SIMD16<UInt32>(repeating: Signal.nobody)
    var recentCount: UInt8 = 0
    var knownCount: UInt8 = 0
    /// Requests, at most 65535.
    var requests: UInt16 = 0
    /// Seconds; the time of the last request.
    var lastTime: Float64 = 0

    package init() {}

    var recentList: [UInt32] { (0..<Int(recentCount)).map { recent[$0] } }
    var knownList: [UInt32] { (0..<Int(knownCount)).map { known[$0] } }
    func knows(_ function: UInt32) -> Bool { any(known .== SIMD16(repeating: function)) }

    mutating func add(_ function: UInt32, time: Float64) {
        for index in stride(from: 7, to: 0, by: -1) { recent[index] = recent[index - 1] }
        recent[0] = function
        recentCount = min(8, recentCount + 1)
        var at = 0
        while at < Int(knownCount) && known[at] != function { at += 1 }
        if at == Int(knownCount) {
            if at < 16 { knownCount += 1 } else { at = 15 }
        }
        while at > 0 {
            known[at] = known[at - 1]
            at -= 1
        }
        known[0] = function
        if requests < .max { requests += 1 }
        lastTime = time
    }
}

/// Trails by user or session, bounded: at the bound the quarter that was silent longest is forgotten.
package struct UserTable: Sendable {
    private(set) var trails: [UInt32: UserTrail] = [:]
    package private(set) var capacity: Int

    package init(capacity: Int) { self.capacity = max(4, capacity) }

    package var count: Int { trails.count }
    /// A hash table of at most three quarters full slots, a power of two of them.
    package var memoryBytes: Int { trails.capacity * 4 / 3 * (MemoryLayout<UserTrail>.stride + 5) }

    subscript(_ user: UInt32) -> UserTrail? { trails[user] }

    mutating func add(_ function: UInt32, to user: UInt32, time: Float64) {
        if trails.count >= capacity && trails[user] == nil { shrink(to: capacity * 3 / 4) }
        trails[user, default: UserTrail()].add(function, time: time)
    }

    mutating func remove(_ user: UInt32) { trails[user] = nil }

    package mutating func shrink(to count: Int) {
        guard trails.count > count else { return }
        let times = trails.values.map(\.lastTime).sorted()
        let limit = times[trails.count - count]
        trails = trails.filter { $0.value.lastTime >= limit }
    }

    package func save(to archive: inout ArchiveWriter) {
        archive.put(UInt32(capacity))
        archive.put(UInt32(trails.count))
        for (user, trail) in trails.sorted(by: { $0.key < $1.key }) {
            archive.put(user)
            archive.put(trail.requests)
            archive.put(trail.lastTime)
            archive.put(trail.recentList)
            archive.put(trail.knownList)
        }
    }

    package init(from archive: inout ArchiveReader) throws(ForecastError) {
        let limit = Int(try archive.get(UInt32.self))
        self.init(capacity: limit)
        let count = try archive.count(size: 22)
        try archive.require(count <= capacity, "\(count) users where \(capacity) are the most")
        for _ in 0..<count {
            let user = try archive.get(UInt32.self)
            var trail = UserTrail()
            trail.requests = try archive.get(UInt16.self)
            trail.lastTime = try archive.get(Double.self)
            let recent = try archive.get([UInt32].self)
            let known = try archive.get([UInt32].self)
            try archive.require(recent.count <= 8 && known.count <= 16, "a user's trail is too long")
            try archive.require((recent + known).allSatisfy { $0 < 1 << 24 }, "a user's trail names no function")
            for (index, function) in recent.enumerated() { trail.recent[index] = function }
            for (index, function) in known.enumerated() { trail.known[index] = function }
            trail.recentCount = UInt8(recent.count)
            trail.knownCount = UInt8(known.count)
            trails[user] = trail
        }
    }
}
