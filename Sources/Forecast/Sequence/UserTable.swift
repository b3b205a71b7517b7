/// What is kept of a user or a session: the latest functions and when the last one was.
package struct UserTrail: Sendable {
    static let recentKept = 8
    static let knownKept = 12
    /// Newest first; `Signal.nobody` where there is none.
    var recent = SIMD8<UInt32>(repeating: Signal.nobody)
    /// Distinct functions, the latest first.
    var known = SIMD16<UInt32>(repeating: Signal.nobody)
    /// How often each of the known was called, fading: halved together when one is full.
    var counts = SIMD16<UInt8>.zero
    /// The digest of what the latest call carried, folded; 0: nothing.
    var arguments: UInt32 = 0
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

    /// The share of `function` among the user's calls.
    func share(_ function: UInt32) -> Float {
        var own: Float = 0
        var total: Float = 0
        for index in 0..<Int(knownCount) {
            let count = Float(counts[index])
            total += count
            if known[index] == function { own = count }
        }
        return own / max(1, total)
    }

    /// How long the present run is, and how varied the latest calls are: one of thirty classes.
    var habit: Int {
        var run = 0
        while run < Int(recentCount) && recent[run] == recent[0] { run += 1 }
        var distinct = 0
        for index in 0..<Int(recentCount) {
            var isNew = true
            for other in 0..<index where recent[other] == recent[index] { isNew = false }
            if isNew { distinct += 1 }
        }
        let runClass = run < 3 ? run : run < 5 ? 3 : run < 8 ? 4 : 5
        return runClass * 5 + min(4, distinct)
    }

    mutating func add(_ function: UInt32, time: Float64, arguments: UInt32) {
        self.arguments = arguments
        for index in stride(from: 7, to: 0, by: -1) { recent[index] = recent[index - 1] }
        recent[0] = function
        recentCount = min(8, recentCount + 1)
        var at = 0
        while at < Int(knownCount) && known[at] != function { at += 1 }
        if at == Int(knownCount) {
            if at < 16 { knownCount += 1 } else { at = 15 }
        }
        var count = known[at] == function ? counts[at] : 0
        if count == 63 {
            counts &>>= 1
            count = 31
        }
        while at > 0 {
            known[at] = known[at - 1]
            counts[at] = counts[at - 1]
            at -= 1
        }
        known[0] = function
        counts[0] = count + 1
        if requests < .max { requests += 1 }
        lastTime = time
    }
}

/// Trails by user or session, bounded: at the bound the quarter that was silent longest is forgotten.
package struct UserTable: Sendable {
    /// In shards, so that the first change after a snapshot copies one of them.
    private var shards = [[UInt32: UserTrail]](repeating: [:], count: shardCount)
    private static let shardCount = 64
    package private(set) var count = 0
    package private(set) var capacity: Int

    package init(capacity: Int) { self.capacity = max(4, capacity) }

    @inline(__always)
    private static func shard(_ user: UInt32) -> Int {
        Int(truncatingIfNeeded: SeededGenerator.mix(UInt64(user))) & (shardCount - 1)
    }

    /// A hash table of at most three quarters full slots, a power of two of them.
    package var memoryBytes: Int {
        shards.reduce(0) { $0 + $1.capacity * 4 / 3 * (MemoryLayout<UserTrail>.stride + 5) }
    }

    subscript(_ user: UInt32) -> UserTrail? { shards[Self.shard(user)][user] }

    mutating func add(_ function: UInt32, to user: UInt32, time: Float64, arguments: UInt32 = 0) {
        let shard = Self.shard(user)
        if shards[shard][user] == nil {
            if count >= capacity { shrink(to: capacity * 3 / 4) }
            count += 1
        }
        shards[shard][user, default: UserTrail()].add(function, time: time, arguments: arguments)
    }

    mutating func remove(_ user: UInt32) {
        if shards[Self.shard(user)].removeValue(forKey: user) != nil { count -= 1 }
    }

    package mutating func shrink(to wanted: Int) {
        guard count > wanted else { return }
        let times = shards.flatMap { $0.values.map(\.lastTime) }.sorted()
        let limit = wanted == 0 ? .infinity : times[count - wanted]
        // Of those that were heard of at the same moment, as many as there is room for.
        var ties = wanted - times.count { $0 > limit }
        for shard in shards.indices {
            shards[shard] = shards[shard].filter {
                if $0.value.lastTime != limit { return $0.value.lastTime > limit }
                ties -= 1
                return ties >= 0
            }
        }
        count = shards.reduce(0) { $0 + $1.count }
    }

    /// Forgets those silent longest until the table takes `bytes` at most.
    package mutating func forget(toFit bytes: Int) {
        while memoryBytes > bytes, count > 0 {
            shrink(to: min(count * 7 / 8, Int(Double(count) * Double(bytes) / Double(memoryBytes))))
            for shard in shards.indices {
                let trails = shards[shard]
                shards[shard] = Dictionary(minimumCapacity: trails.count)
                shards[shard].merge(trails) { $1 }
            }
        }
        if count == 0 { shards = [[UInt32: UserTrail]](repeating: [:], count: Self.shardCount) }
    }

    package func save(to archive: inout ArchiveWriter) {
        archive.put(UInt32(capacity))
        archive.put(UInt32(count))
        for (user, trail) in shards.joined().sorted(by: { $0.key < $1.key }) {
            archive.put(user)
            archive.put(trail.requests)
            archive.put(trail.arguments)
            archive.put(trail.lastTime)
            archive.put(trail.recentList)
            archive.put(trail.knownList)
            for index in 0..<Int(trail.knownCount) { archive.put(trail.counts[index]) }
        }
    }

    package init(from archive: inout ArchiveReader) throws(ForecastError) {
        let limit = Int(try archive.get(UInt32.self))
        self.init(capacity: limit)
        let count = try archive.count(size: 26)
        try archive.require(count <= capacity, "\(count) users where \(capacity) are the most")
        for _ in 0..<count {
            let user = try archive.get(UInt32.self)
            var trail = UserTrail()
            trail.requests = try archive.get(UInt16.self)
            trail.arguments = try archive.get(UInt32.self)
            trail.lastTime = try archive.get(Double.self)
            let recent = try archive.get([UInt32].self)
            let known = try archive.get([UInt32].self)
            try archive.require(recent.count <= 8 && known.count <= 16, "a user's trail is too long")
            try archive.require((recent + known).allSatisfy { $0 < 1 << 24 }, "a user's trail names no function")
            for (index, function) in recent.enumerated() { trail.recent[index] = function }
            for (index, function) in known.enumerated() {
                trail.known[index] = function
                trail.counts[index] = min(63, try archive.get(UInt8.self))
            }
            trail.recentCount = UInt8(recent.count)
            trail.knownCount = UInt8(known.count)
            let shard = Self.shard(user)
            try archive.require(shards[shard].updateValue(trail, forKey: user) == nil, "a user occurs twice")
            self.count += 1
        }
    }
}
