import Glibc

/// Which units the users who are about will call in the coming minute: what idle times of units cannot tell.
///
/// A user is about for four hours after a call. For each, the chance to call again this minute is a hit frequency by
/// the idle time, the number of calls and the length of the run; which unit then is the same one, one called before, or
/// a new one, by learned shares; a new one is what others called after the latest unit, or what is popular. A unit's
/// rate is the sum over users, and the chance of a call 1 - exp(-rate). O(users about x 20) a minute; 140 bytes a user.
package struct PresenceModel: Sendable {
    /// Classes of a unit's probability; 0: nobody is known.
    static let bins = 32
    /// Minutes.
    static let longest = 240

    private var users: [UInt32: PresentUser] = [:]
    private var about: [UInt32] = []
    private var back = CountTable(count: Self.idleClasses * 4 * 3, cap: 5000)
    /// Shares of: the same unit, a known one, a new one.
    private var kinds = [SIMD4<Float>](repeating: SIMD4(0.5, 0.2, 0.3, 0), count: 4 * 4 * 7)
    private var successors = SuccessorTable(capacity: 100_000, widest: 32)
    private var popularity: [Float] = []
    private var rates: [Float] = []
    /// Calls of the running minute.
    private var calls: [(unit: UInt32, user: UInt32)] = []
    /// The minute that `rates` are for.
    private var minute = -1
    private let capacity: Int

    private static let idleClasses = 40

    /// `capacity` is how many users are remembered.
    package init(capacity: Int = 100_000) { self.capacity = max(1, capacity) }

    /// Whether any user is known: without, the model has nothing to say.
    var isInformed: Bool { !users.isEmpty }

    /// The chance that a user calls `unit` in the minute that `advance` was told.
    func probability(_ unit: Int) -> Float { unit < rates.count ? 1 - expf(-rates[unit]) : 0 }

    /// The class of a probability.
    static func bin(_ probability: Float) -> Int {
        1 + max(0, min(bins - 2, Int((LogOdds.of(probability) + 10) * 2.5)))
    }

    /// Notes a call; it counts when its minute is over.
    mutating func called(_ unit: UInt32, by user: UInt32, minute: Int) {
        advance(to: minute)
        calls.append((unit, user))
    }

    /// Ends the minutes before `next`.
    mutating func advance(to next: Int) {
        guard next > minute else { return }
        guard isInformed || !calls.isEmpty else {
            minute = next
            return
        }
        let first = max(minute, next - Self.longest - 1)
        for ended in first..<next {
            learnReturns(ended)
            if ended == first {
                for call in calls { take(call.unit, call.user, first) }
                calls.removeAll(keepingCapacity: true)
            }
            // Nobody is left: the minutes that follow have nothing to learn from.
            if about.isEmpty { break }
        }
        minute = next
        estimate()
    }

    // MARK: Learning

    private mutating func learnReturns(_ ended: Int) {
        let came = Set(calls.map(\.user))
        var still: [UInt32] = []
        still.reserveCapacity(about.count)
        for id in about {
            guard let user = users[id] else { continue }
            let hit = came.contains(id)
            back.learn(Int32(backCell(user, ended)), hit ? 1 : 0)
            if hit || ended - Int(user.last) < Self.longest { still.append(id) }
        }
        about = still
    }

    private mutating func take(_ unit: UInt32, _ id: UInt32, _ now: Int) {
        while popularity.count <= Int(unit) {
            popularity.append(0.1)
            rates.append(0)
        }
        if users[id] == nil, users.count >= capacity { forgetUsers(to: capacity * 3 / 4) }
        var user = users[id] ?? PresentUser()
        let isAbout = user.last >= 0 && now - Int(user.last) < Self.longest
        if user.calls > 0 {
            var hit = SIMD4<Float>.zero
            hit[unit == user.unit ? 0 : user.knows(unit) ? 1 : 2] = 1
            let cell = kindCell(user, now)
            kinds[cell] = 0.998 * kinds[cell] + hit
            if unit != user.unit { successors.add(UInt64(user.unit), unit) }
        }
        popularity[Int(unit)] += 1
        user.called(unit, minute: now)
        users[id] = user
        if !isAbout, !about.contains(id) { about.append(id) }
    }

    private mutating func forgetUsers(to count: Int) {
        let oldest = users.sorted { ($0.value.last, $0.key) < ($1.value.last, $1.key) }
        for (id, _) in oldest.prefix(users.count - count) { users[id] = nil }
        about.removeAll { users[$0] == nil }
    }

    /// Forgets a unit, whose number will be another's.
    mutating func forget(_ unit: UInt32) {
        guard Int(unit) < popularity.count else { return }
        popularity[Int(unit)] = 0.1
        rates[Int(unit)] = 0
        for id in users.keys { users[id]?.forget(unit) }
        calls.removeAll { $0.unit == unit }
    }

    // MARK: The estimate

    private mutating func estimate() {
        for unit in rates.indices { rates[unit] = 0 }
        var elsewhere: Float = 0
        for id in about {
            guard let user = users[id] else { continue }
            let idle = max(1, minute - Int(user.last))
            let returns = back.estimate(backCell(user, minute), parent: 0.1 / Float(idle))
            elsewhere += spread(user, returns, kinds[kindCell(user, minute)])
        }
        guard elsewhere > 0 else { return }
        let all = popularity.reduce(0, +)
        for unit in rates.indices { rates[unit] += elsewhere * popularity[unit] / all }
    }

    /// Adds a user's chances to the units' rates; returns what is left for units by their popularity.
    private mutating func spread(_ user: PresentUser, _ returns: Float, _ counts: SIMD4<Float>) -> Float {
        let shares = counts / counts.sum()
        rates[Int(user.unit)] += returns * shares[0]
        var others: Float = 0
        for index in 0..<Int(user.knownCount) where user.known[index] != user.unit { others += weight(user, index) }
        var fresh = shares[2]
        if others > 0 {
            let scale = returns * shares[1] / others
            for index in 0..<Int(user.knownCount) where user.known[index] != user.unit {
                rates[Int(user.known[index])] += scale * weight(user, index)
            }
        } else {
            fresh += shares[1]
        }
        let total = Float(successors.totals(UInt64(user.unit)).total)
        let chance = returns * fresh / (total + 5)
        var given: Float = 0
        successors.forEach(UInt64(user.unit)) { unit, count in
            if Int(unit) < rates.count {
                rates[Int(unit)] += chance * Float(count)
                given += Float(count)
            }
            return true
        }
        return returns * fresh - chance * given
    }

    /// Of a unit called before: often, and lately.
    private func weight(_ user: PresentUser, _ index: Int) -> Float { Float(user.counts[index]) * Float(1 + index) }

    // MARK: Classes

    private func backCell(_ user: PresentUser, _ now: Int) -> Int {
        let k = max(0, now - Int(user.last))
        let idle = k <= 12 ? k : min(Self.idleClasses - 1, 12 + Int(3 * log2f(Float(k) / 12)))
        let calls = user.calls < 2 ? 0 : user.calls < 5 ? 1 : user.calls < 20 ? 2 : 3
        return (idle * 4 + calls) * 3 + (user.run < 2 ? 0 : user.run < 5 ? 1 : 2)
    }

    private func kindCell(_ user: PresentUser, _ now: Int) -> Int {
        let k = now - Int(user.last)
        let run = user.run < 2 ? 0 : user.run < 4 ? 1 : user.run < 10 ? 2 : 3
        let idle = [1, 2, 5, 10, 20, 60].count { k > $0 }
        return (run * 4 + min(3, max(0, Int(user.knownCount) - 1))) * 7 + idle
    }

    // MARK: Keeping

    package var memoryBytes: Int {
        users.capacity * (MemoryLayout<PresentUser>.stride + 8) + successors.memoryBytes + rates.count * 8
            + back.cells.count * 8 + kinds.count * 16
    }

    func save(to archive: inout ArchiveWriter) {
        archive.put(Int64(minute))
        archive.putSparse(back.cells)
        archive.putSparse(kinds)
        successors.save(to: &archive)
        archive.put(popularity)
        archive.put(about)
        archive.put(UInt32(users.count))
        for (id, user) in users.sorted(by: { $0.key < $1.key }) {
            archive.put(id)
            user.save(to: &archive)
        }
    }

    mutating func load(from archive: inout ArchiveReader) throws(ForecastError) {
        minute = Int(try archive.get(Int64.self))
        try archive.getSparse(into: &back.cells)
        try archive.getSparse(into: &kinds)
        try archive.require(kinds.allSatisfy { $0.min() >= 0 && $0.sum() > 0 }, "shares that are not positive")
        successors = try SuccessorTable(from: &archive)
        popularity = try archive.get([Float].self)
        try archive.require(popularity.allSatisfy { $0 > 0 }, "a popularity that is not positive")
        rates = [Float](repeating: 0, count: popularity.count)
        about = try archive.get([UInt32].self)
        for _ in 0..<(try archive.count(size: 21)) {
            let id = try archive.get(UInt32.self)
            let user = try PresentUser(from: &archive)
            try archive.require(
                Int(user.unit) < rates.count
                    && (0..<Int(user.knownCount)).allSatisfy { Int(user.known[$0]) < rates.count },
                "a user called a unit that is not there")
            users[id] = user
        }
        if isInformed { estimate() }
    }
}
