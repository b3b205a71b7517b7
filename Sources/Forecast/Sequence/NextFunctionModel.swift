import Glibc

/// Which function a user or session calls next, from everything that is known of sequences: variable-order Markov
/// contexts, the user's recency, neighbours and factors, popularity, arguments; stacked to one distribution.
package struct NextFunctionModel: Sendable {
    package enum Source: Int, CaseIterable, Sendable {
        case userMarkov, firstOrder, blend, recency, recentPopularity, neighbors, factors, network
        case arguments, isLast, inSession, popularity, skip, beforeLast, frequency, newest
    }

    /// Where a question stands.
    package struct Place: Sendable {
        package var user: UInt32
        package var session: UInt32
        /// Seconds.
        package var time: Double
        /// A digest of what the call carries; 0: none. What comes next is asked by the digest of the call before.
        package var arguments: UInt64

        package init(user: UInt32, session: UInt32 = Signal.nobody, time: Double, arguments: UInt64 = 0) {
            self.user = user
            self.session = session
            self.time = time
            self.arguments = arguments
        }

        /// The trail that is followed: the session's, else the user's.
        var trail: UInt32 { session == Signal.nobody ? user : session }
    }

    package var markov: MarkovModel
    package var neighbors: ItemNeighbors
    package var factors: FactorModel
    /// How often functions are gone over to: calls of those who called something else just before, or nothing. Long runs of
    /// few users say nothing of where others go.
    package var popularity: Popularity
    package var network: SequenceNetwork?
    var byArguments: SuccessorTable
    var skips: SuccessorTable
    var sessions: UserTable
    var users: UserTable
    var stacker: CandidateStacker
    var gate = ChangeGate()
    /// How often what came was no candidate, by context: misses in `y` of calls in `x`.
    var escapes: [SIMD2<Float>]
    /// How many successors of a context are looked at, the latest first: bounds the time of a forecast.
    package var breadth = Int.max
    /// The weights learn from one call in so many.
    package var learningInterval = 1
    private var sinceLearned = 0
    var enabledMask: UInt32 = ~(1 << UInt32(Source.neighbors.rawValue))
    /// Sources that are asked; the others' features are zero. Neighbours are off unless they are inserted: they cost counts
    /// and a look at every call, and what they know the factors know too (docs/forecast.md has the figures).
    package var enabled: Set<Source> {
        get { Set(Source.allCases.filter { isEnabled($0) }) }
        set { enabledMask = newValue.reduce(0) { $0 | 1 << UInt32($1.rawValue) } }
    }
    @inline(__always)
    func isEnabled(_ source: Source) -> Bool { enabledMask >> UInt32(source.rawValue) & 1 != 0 }

    var boards: [ScoreBoard]
    var asked: Asked?

    struct Asked: Sendable {
        var place: Place
        var candidates: [UInt32] = []
        var features: [CandidateStacker.Features] = []
        /// Given that one of the candidates comes: by the stacking alone, and with the gate.
        var stacked: [Float] = []
        var probabilities: [Float] = []
        var gate: ChangeGate.Answer?
        var context = 0
        var contexts = CandidateStacker.Contexts.zero

        /// Likelier; ties by number.
        func isBetter(_ one: Int, _ other: Int) -> Bool {
            (probabilities[one], candidates[other]) > (probabilities[other], candidates[one])
        }

        /// The probability that none of the candidates comes, and how the Markov contexts share it out.
        var escape: Float = 0
        var blendMass: Float = 1
        var blendLeft: Float = 1
    }

    /// `widest` is how many successors of a context are kept, `users` of how many users the trails are.
    package init(
        order: Int = 2, capacity: Int = 600_000, widest: Int = 256, users userCapacity: Int = 100_000,
        seed: UInt64 = 5
    ) {
        markov = MarkovModel(order: order, capacity: capacity, widest: widest)
        neighbors = ItemNeighbors(capacity: capacity / 4, widest: widest)
        factors = FactorModel(seed: seed)
        popularity = Popularity()
        byArguments = SuccessorTable(capacity: capacity / 4, widest: widest)
        skips = SuccessorTable(capacity: capacity / 4, widest: widest)
        sessions = UserTable(capacity: userCapacity)
        users = UserTable(capacity: userCapacity)
        var first = CandidateStacker.Features.zero
        first[Source.blend.rawValue] = 1
        stacker = CandidateStacker(first: first, sets: Self.sets)
        escapes = [SIMD2<Float>](repeating: SIMD2(20, 1), count: Self.contexts)
        boards = [ScoreBoard](repeating: ScoreBoard(), count: 10)
    }

    /// Gap classes times experience classes.
    static let contexts = 7 * 5
    /// Sets of weights: gap and experience; run and variety; the last function.
    static let sets = [contexts, habits, 256]
    static let habits = 6 * 5

    static func context(_ gap: Double?, _ requests: Int) -> Int {
        let experience = requests == 0 ? 0 : requests < 3 ? 1 : requests < 8 ? 2 : requests < 30 ? 3 : 4
        guard let gap else { return experience }
        let edges: [Double] = [15, 60, 240, 1200, 7200]
        return (1 + edges.count { gap > $0 }) * 5 + experience
    }

    /// Log of a probability, shifted so that nothing known is 0.
    @inline(__always)
    static func opinion(_ probability: Float) -> Float {
        probability == 0 ? 0 : logf(probability * 2e4 + 1)
    }

    /// The distribution over candidates, best first. They sum to one but for the chance that none of them comes.
    package mutating func predict(_ place: Place, limit: Int = 16) -> [Candidate] {
        ask(place)
        guard let asked else { return [] }
        var best: [Int] = []
        for index in asked.candidates.indices {
            var at = best.count
            while at > 0, asked.isBetter(index, best[at - 1]) { at -= 1 }
            guard at < limit else { continue }
            best.insert(index, at: at)
            if best.count > limit { best.removeLast() }
        }
        return best.map { Candidate(asked.candidates[$0], asked.probabilities[$0] * (1 - asked.escape)) }
    }

    /// The probability of any function, also of those that are no candidates.
    package mutating func probability(of function: UInt32, _ place: Place) -> Float {
        ask(place)
        guard let asked else { return 0 }
        if let index = asked.candidates.firstIndex(of: function) {
            return asked.probabilities[index] * (1 - asked.escape)
        }
        let blend = boards[0][function] + asked.blendMass * boards[1][function]
        return asked.escape * blend / max(1e-3, max(blend, asked.blendLeft))
    }

    /// Learns that `function` was called there.
    package mutating func update(_ function: UInt32, _ place: Place) {
        sinceLearned += 1
        if sinceLearned >= learningInterval {
            sinceLearned = 0
            ask(place)
        } else {
            asked = nil
        }
        if let asked { learn(function, asked) }
        asked = nil
        let recent = followed(place)?.recentList ?? []
        let trail = users[place.user] ?? UserTrail()
        markov.update(function, user: place.user, recent: recent)
        if recent.count > 1 { skips.add(UInt64(recent[1]), function) }
        if let carried = followed(place)?.arguments, carried != 0 {
            byArguments.add(Self.argumentKey(carried, recent), function)
            byArguments.add(SeededGenerator.mix(UInt64(carried)), function)
        }
        if isEnabled(.neighbors), !trail.knows(function) {
            neighbors.update(function, known: trail.knownList.prefix(breadth < 64 ? 6 : 16))
        }
        if isEnabled(.factors) { factors.update(function, user: place.user, last: recent.first) }
        if recent.first != function { popularity.update(function) }
        let gap = gap(place)
        network?.update(function, stream: place.trail, gap: gap)
        let carried = Self.fold(place.arguments)
        if place.session != Signal.nobody {
            sessions.add(function, to: place.session, time: place.time, arguments: carried)
        }
        if place.user != Signal.nobody { users.add(function, to: place.user, time: place.time, arguments: carried) }
    }

    /// Whether anything is known of a user.
    func knows(user: UInt32) -> Bool { users[user] != nil }

    /// Forgets a user's trail, and leaves what others learned from it.
    mutating func remove(user: UInt32) {
        users.remove(user)
        asked = nil
    }

    /// Forgets a session's trail when it ends.
    package mutating func end(session: UInt32) {
        sessions.remove(session)
        asked = nil
    }

    /// The trail of the session, else of the user.
    func followed(_ place: Place) -> UserTrail? {
        place.session == Signal.nobody ? users[place.user] : sessions[place.session]
    }

    func gap(_ place: Place) -> Double? {
        followed(place).map { max(0, place.time - $0.lastTime) }
    }

    /// 32 bits of a digest, 0 only for none.
    private static func fold(_ digest: UInt64) -> UInt32 {
        digest == 0 ? 0 : max(1, UInt32(truncatingIfNeeded: digest ^ digest >> 32))
    }

    static func argumentKey(_ arguments: UInt32, _ recent: [UInt32]) -> UInt64 {
        SeededGenerator.mix(UInt64(arguments) ^ SeededGenerator.mix(UInt64(recent.first ?? Signal.nobody) + 1))
    }

    private mutating func learn(_ function: UInt32, _ asked: Asked) {
        let truth = asked.candidates.firstIndex(of: function)
        escapes[asked.context] += SIMD2(1, truth == nil ? 1 : 0)
        if escapes[asked.context].x > 2000 { escapes[asked.context] *= 0.5 }
        guard let truth else { return }
        stacker.learn(asked.features, asked.contexts, probabilities: asked.stacked, truth: truth)
        if let answer = asked.gate { gate.learn(answer, same: truth == 0) }
    }
}
