extension Forecaster {
    /// What is expected of a function; nil when nothing is known of it.
    package mutating func outlook(_ function: String, at time: Int64) -> Outlook? {
        guard let number = functionNames.find(function) else { return nil }
        return outlook(number, at: time)
    }

    /// As above, by number. Some tens of microseconds: one look at every minute of the longest horizon.
    package mutating func outlook(_ function: UInt32, at time: Int64) -> Outlook? {
        let index = Int(function)
        guard index < functions.count, functions[index] != nil else { return nil }
        let now = max(latest, Self.seconds(time))
        catchUp(index, to: now)
        let opinions = opinions(index, at: now)
        var probabilities: [Float] = []
        var shares: [[Float]] = []
        for horizon in Self.horizons.indices {
            let spoken = opinions.map { $0?[horizon] }
            let (inputs, mask) = HorizonStacker.inputs(spoken)
            // A longer horizon cannot be less likely.
            probabilities.append(max(probabilities.last ?? 0, stackers[horizon].probability(inputs, mask)))
            shares.append(stackers[horizon].shares(spoken))
        }
        var listed: [Outlook.Opinion] = []
        for source in ForecastSource.allCases {
            guard let opinion = opinions[source.rawValue] else { continue }
            listed.append(
                Outlook.Opinion(
                    source: source, probabilities: opinion, shares: shares.map { $0[source.rawValue] }))
        }
        return Outlook(
            function: function, probabilities: probabilities, due: Self.nanoseconds(due(index, at: now)),
            opinions: listed)
    }

    /// The functions most likely called within the horizon, best first. Asks every function for its coming minute
    /// (2 us each), and those that lead for the whole outlook.
    package mutating func ranking(at time: Int64, horizon: Int = 0, limit: Int = 64) -> [Outlook] {
        let now = max(latest, Self.seconds(time))
        var scores: [(index: Int, score: Float)] = []
        for index in functions.indices {
            guard let state = functions[index] else { continue }
            catchUp(index, to: now)
            let minute = functions[index]?.nextMinute ?? 0
            var score = occurrence.predict(state.unit, minute: minute)
            for expectation in state.expectations { score = max(score, expectation.probability) }
            if state.plannedUntil > now { score = max(score, state.planned) }
            if score > 0 { scores.append((index, score)) }
        }
        scores.sort { ($0.score, $1.index) > ($1.score, $0.index) }
        return scores.prefix(2 * limit).compactMap { outlook(UInt32($0.index), at: time) }
            .sorted { ($0.probabilities[horizon], $1.function) > ($1.probabilities[horizon], $0.function) }
            .prefix(limit).map(\.self)
    }

    /// What a user calls next, best first.
    package mutating func outlook(user: String, session: String? = nil, at time: Int64, limit: Int = 8) -> [Candidate] {
        let place = NextFunctionModel.Place(
            user: userNames.find(user) ?? Signal.nobody,
            session: session.map { Self.sessionNumber($0) } ?? Signal.nobody,
            time: max(latest, Self.seconds(time)))
        return next.predict(place, limit: limit)
    }

    /// What each source says for the horizons; nil where it says nothing.
    mutating func opinions(_ index: Int, at time: Double) -> [[Float]?] {
        var opinions = [[Float]?](repeating: nil, count: ForecastSource.allCases.count)
        guard let state = functions[index] else { return opinions }
        if settings.sources.contains(.occurrence), state.lastCall > -.infinity {
            opinions[ForecastSource.occurrence.rawValue] = byMinutes(state, at: time)
        }
        if settings.sources.contains(.interval) {
            let spoken = Self.horizons.compactMap { intervals.probability(UInt32(index), within: $0, at: time) }
            if spoken.count == Self.horizons.count { opinions[ForecastSource.interval.rawValue] = spoken }
        }
        for isSequence in [true, false] {
            let source = isSequence ? ForecastSource.sequence : .dependency
            let expectations = state.expectations.filter { $0.isSequence == isSequence && time - $0.start < 1800 }
            guard settings.sources.contains(source), !expectations.isEmpty else { continue }
            opinions[source.rawValue] = Self.horizons.map { horizon in
                1 - expectations.reduce(1) { $0 * (1 - $1.probability(within: horizon, at: time)) }
            }
        }
        if settings.sources.contains(.plan), state.plannedUntil > time {
            // Spread over what is left of the plan's time.
            let left = state.plannedUntil - time
            opinions[ForecastSource.plan.rawValue] = Self.horizons.map {
                state.planned * Float(min(1, $0 / left))
            }
        }
        return opinions
    }

    /// The minute model's hazards over the horizons; the first and the last minute in part, and the running minute
    /// only if the function was not called in it.
    private mutating func byMinutes(_ state: FunctionState, at time: Double) -> [Float] {
        let minute = Int(time / 60)
        let part = Float(time / 60 - Double(minute))
        let longest = Int((Self.horizons.last ?? 60) / 60)
        let isCounted = state.nextMinute > minute
        let first = isCounted ? minute + 1 : minute
        let hazards = occurrence.hazards(state.unit, from: first, count: longest + (isCounted ? 0 : 1))
        guard !hazards.isEmpty else { return Self.horizons.map { _ in 0 } }
        return Self.horizons.map { horizon in
            let whole = Int(horizon / 60)
            var none: Float = 1
            for ahead in 0...whole {
                let at = isCounted ? ahead - 1 : ahead
                guard at >= 0, at < hazards.count else { continue }
                let share: Float = ahead == 0 ? 1 - part : ahead == whole ? part : 1
                none *= 1 - min(0.9999, hazards[at]) * share
            }
            return 1 - none
        }
    }

    /// Seconds: when a call is due at the earliest.
    private func due(_ index: Int, at time: Double) -> Double {
        guard let state = functions[index] else { return time }
        let limit = Self.horizons.last ?? 900
        var due = intervals.due(UInt32(index), share: 0.1, at: time, limit: limit).map { time + $0 } ?? time + limit
        for expectation in state.expectations where expectation.probability(within: limit, at: time) > 0.1 {
            due = min(due, max(time, expectation.start + Double(expectation.lags.quantile(0.1))))
        }
        if state.plannedUntil > time && state.planned > 0.1 { due = time }
        return max(time, due)
    }
}
