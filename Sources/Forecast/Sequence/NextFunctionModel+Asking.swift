/// How a forecast is put together: every source is asked for what may come, and each candidate gets what each of them says of it.
extension NextFunctionModel {
    mutating func ask(_ place: Place) {
        if let asked, asked.place.trail == place.trail, asked.place.user == place.user,
            asked.place.time == place.time
        {
            return
        }
        let session = followed(place) ?? UserTrail()
        let trail = users[place.user] ?? UserTrail()
        let recent = session.recentList
        for index in boards.indices { boards[index].clear() }
        let mass = markov.predict(user: place.user, recent: recent, scope: .user, into: &boards[0], widest: breadth)
        markov.predict(user: place.user, recent: recent, scope: .everybody, into: &boards[1], widest: breadth)
        if let last = recent.first {
            let key = MarkovModel.key(user: Signal.nobody, order: 1, [last])
            Self.share(markov.table, key, &boards[3], breadth)
            var weight: Float = 1
            markov.table.forEach(key) { symbol, _ in
                if symbol == last { return true }
                boards[9].add(symbol, weight)
                weight *= 0.8
                return weight > 0.05
            }
        }
        if recent.count > 1 { Self.share(skips, UInt64(recent[1]), &boards[4], breadth) }
        // After a step aside and back, what follows the place before it.
        if recent.count > 2 {
            Self.share(markov.table, MarkovModel.key(user: Signal.nobody, order: 1, [recent[2]]), &boards[2], breadth)
        }
        if session.arguments != 0 {
            let key = SeededGenerator.mix(UInt64(session.arguments))
            Self.share(byArguments, key, &boards[5], breadth, weight: 0.3)
            Self.share(byArguments, Self.argumentKey(session.arguments, recent), &boards[5], breadth, weight: 0.7)
        }
        var weight: Float = 1
        for function in trail.knownList.prefix(breadth < 64 ? 6 : 16) {
            if isEnabled(.neighbors) {
                neighbors.predict(function, weight: weight, into: &boards[6], widest: min(64, breadth))
            }
            boards[7].add(function, weight)
            weight *= 0.8
        }
        network?.predict(stream: place.trail)
        score(place, recent, session, trail, mass)
    }

    private static func share(
        _ table: SuccessorTable, _ key: UInt64, _ board: inout ScoreBoard, _ breadth: Int, weight: Float = 1
    ) {
        var taken = 0
        let (total, distinct) = table.totals(key)
        let scale = weight / Float(max(1, total + distinct))
        table.forEach(key) { symbol, count in
            board.add(symbol, scale * Float(count))
            taken += 1
            return taken < breadth
        }
    }

    private mutating func score(
        _ place: Place, _ recent: [UInt32], _ session: UserTrail, _ trail: UserTrail, _ mass: Float
    ) {
        var question = Asked(place: place)
        question.context = Self.context(gap(place), Int(trail.requests))
        question.contexts = [
            Int32(question.context), Int32(session.habit), Int32((recent.first.map { $0 % 255 + 1 }) ?? 0), 0,
        ]
        func take(_ functions: some Sequence<UInt32>) {
            for function in functions where boards[8][function] == 0 {
                boards[8].add(function, 1)
                question.candidates.append(function)
            }
        }
        take(recent.prefix(1))
        let isBrief = breadth < 64
        take(boards[0].best(isBrief ? 6 : 8))
        take(boards[1].best(isBrief ? 10 : 20))
        take(boards[5].best(6))
        take(trail.knownList.prefix(isBrief ? 6 : 16))
        if isEnabled(.neighbors) { take(boards[6].best(isBrief ? 4 : 6)) }
        if !isBrief { take(boards[4].best(4)) }
        take(popularity.leaders.prefix(isBrief ? 3 : 8))
        question.features.reserveCapacity(question.candidates.count)
        let taste = isEnabled(.factors) ? factors.taste(place.user, recent.first) : .zero
        for function in question.candidates {
            question.features.append(features(function, taste, recent, trail, mass))
        }
        question.escape = escapes[question.context].y / escapes[question.context].x
        question.stacked = stacker.probabilities(question.features, question.contexts)
        question.probabilities = question.stacked
        pass(&question, session, trail, mass)
        for function in question.candidates {
            question.blendLeft -= boards[0][function] + mass * boards[1][function]
        }
        asked = question
    }

    private func features(
        _ function: UInt32, _ taste: FactorModel.Vector, _ recent: [UInt32], _ trail: UserTrail, _ mass: Float
    ) -> CandidateStacker.Features {
        var x = CandidateStacker.Features.zero
        @inline(__always)
        func set(_ source: Source, _ value: @autoclosure () -> Float) {
            if isEnabled(source) { x[source.rawValue] = value() }
        }
        let own = boards[0][function]
        let all = boards[1][function]
        set(.userMarkov, Self.opinion(own))
        set(.blend, Self.opinion(own + mass * all))
        set(.firstOrder, Self.opinion(boards[3][function]))
        set(.skip, Self.opinion(boards[4][function]))
        set(.arguments, Self.opinion(boards[5][function]))
        set(.neighbors, Self.opinion(boards[6][function]))
        set(.recency, Self.opinion(boards[7][function]))
        set(.recentPopularity, Self.opinion(popularity.recentShare(function)))
        set(.popularity, Self.opinion(popularity.share(function)))
        set(.factors, factors.score(function, taste: taste))
        if let network { set(.network, Self.opinion(network.probability(function))) }
        set(.isLast, recent.first == function ? 1 : 0)
        set(.inSession, recent.contains(function) ? 1 : 0)
        set(.beforeLast, Self.opinion(boards[2][function]))
        set(.frequency, Self.opinion(trail.share(function)))
        set(.newest, boards[9][function])
        return x
    }
}
