extension Forecaster {
    /// What is expected of a function; nil when nothing is known of it.
    package mutating func outlook(_ function: String, at time: Int64) -> Outlook? {
        guard let number = functionNames.find(function) else { return nil }
        return outlook(number, at: time)
    }

    /// As above, by number. Some tens of microseconds: one look at every minute of the longest horizon.
    package mutating func outlook(_ function: UInt32, at time: Int64) -> Outlook? {
        let index = Int(function)
        let isKnown = index < functions.count && functions[index] != nil
        guard isKnown || plans[function] != nil else { return nil }
        let now = max(latest, Self.seconds(time))
        if isKnown { catchUp(index, to: now) }
        let opinions = opinions(index, at: now)
        var probabilities: [Float] = []
        var shares: [[Float]] = []
        for horizon in Self.horizons.indices {
            let spoken = Self.spoken(opinions, horizon)
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
        var planned = plans.mapValues { _ in Float(0) }
        for function in plans.keys {
            planned[function] = self.planned(function, within: Self.horizons[horizon], at: now)
        }
        for index in functions.indices {
            guard let state = functions[index] else { continue }
            catchUp(index, to: now)
            let minute = functions[index]?.nextMinute ?? 0
            var score = occurrence.predict(state.unit, minute: minute)
            for expectation in state.expectations { score = max(score, expectation.probability) }
            if let plan = planned.removeValue(forKey: UInt32(index)) { score = max(score, plan) }
            if score > 0 { scores.append((index, score)) }
        }
        for (function, score) in planned where score > 0 { scores.append((Int(function), score)) }
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
        if settings.sources.contains(.plan), plans[UInt32(index)] != nil {
            let planned = Self.horizons.map { self.planned(UInt32(index), within: $0, at: time) }
            if planned.contains(where: { $0 > 0 }) { opinions[ForecastSource.plan.rawValue] = planned }
        }
        guard index < functions.count, let state = functions[index] else { return opinions }
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
        let limit = Self.horizons.last ?? 900
        // The plan's word counts from where it says something likely.
        let planned = plans[UInt32(index)]?.filter { $0.end > time && $0.probability > 0.1 }.map(\.start).min()
        let opening = max(time, min(time + limit, planned ?? .infinity))
        guard index < functions.count, let state = functions[index] else { return opening }
        var due = intervals.due(UInt32(index), share: 0.1, at: time, limit: limit).map { time + $0 } ?? time + limit
        for expectation in state.expectations where expectation.probability(within: limit, at: time) > 0.1 {
            due = min(due, max(time, expectation.start + Double(expectation.lags.quantile(0.1))))
        }
        return max(time, min(due, opening))
    }
}
