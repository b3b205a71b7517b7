extension Forecaster {
    /// Takes one observation in. Times may be a little out of order; a time before the latest counts as the latest.
    package mutating func observe(_ observation: Observation) {
        let time = max(latest, max(0, Self.seconds(observation.time)))
        latest = time
        switch observation.kind {
        case .request(let function, let user, let session, let arguments):
            guard let function = internFunction(function) else { return }
            request(
                function, user: user.map { internUser($0) } ?? Signal.nobody,
                session: session.map { Self.sessionNumber($0) } ?? Signal.nobody, arguments: arguments, time: time)
        case .event(let topic, _):
            guard let topic = internTopic(topic) else { return }
            event(topic, time: time)
        case .session(_, let session, let begins):
            if !begins { next.end(session: Self.sessionNumber(session)) }
        case .dependency(let source, let function, let lag):
            let cause: Cause? =
                switch source {
                case .function(let name): internFunction(name).map { .function($0) }
                case .topic(let name): internTopic(name).map { .topic($0) }
                }
            guard let cause, let number = internFunction(function) else { return }
            register(number, at: time)
            dependencies.seed(cause, number, lag: Float(max(0, min(lag, DependencyModel.window))))
        }
    }

    /// Sessions come and go too fast to keep their names: 31 bits of a hash, with the top bit apart from users.
    static func sessionNumber(_ session: String) -> UInt32 {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in session.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        let number = UInt32(truncatingIfNeeded: SeededGenerator.mix(hash)) | 1 << 31
        return number == Signal.nobody ? number - 1 : number
    }

    /// Names of functions and topics are never given back, since the tables know them by number; so that a log with
    /// endless names cannot fill the memory, there is room for four times the functions.
    mutating func internFunction(_ name: String) -> UInt32? { intern(name, \.functionNames) }
    mutating func internTopic(_ name: String) -> UInt32? { intern(name, \.topicNames) }

    private mutating func intern(_ name: String, _ names: WritableKeyPath<Forecaster, Interner>) -> UInt32? {
        if let known = self[keyPath: names].find(name) { return known }
        guard self[keyPath: names].count < 4 * settings.functions else {
            ignored += 1
            return nil
        }
        return self[keyPath: names].intern(name)
    }

    mutating func internUser(_ name: String) -> UInt32 {
        if let known = userNames.find(name) { return known }
        if userNames.count >= settings.users { forgetUsers(to: settings.users * 3 / 4) }
        return userNames.intern(name)
    }

    private mutating func request(
        _ function: UInt32, user: UInt32, session: UInt32, arguments: UInt64, time: Double
    ) {
        let index = register(function, at: time)
        settleSample(index, calledAt: time)
        catchUp(index, to: time)
        learnCall(index, function, time: time)
        // What was expected has come.
        if functions[index]?.expectations.isEmpty == false {
            functions[index]?.expectations.removeAll { !$0.isSequence || $0.origin == UInt64(user) }
        }
        dependencies.followed(function, user: user, time: time)
        dependencies.occurred(.function(function), user: user, time: time)
        changed.insert(function)
        expectEffects(of: .function(function), time: time)
        guard user != Signal.nobody || session != Signal.nobody else { return }
        let place = NextFunctionModel.Place(user: user, session: session, time: time, arguments: arguments)
        learnSequence(function, place)
        expectNext(place, session == Signal.nobody ? user : session)
    }

    /// The function's own history; the minutes before must have been told.
    mutating func learnCall(_ index: Int, _ function: UInt32, time: Double) {
        let minute = Int(time / 60)
        if let unit = functions[index]?.unit, (functions[index]?.nextMinute ?? 0) <= minute {
            occurrence.observe(unit, active: true, minute: minute)
            functions[index]?.nextMinute = minute + 1
        }
        functions[index]?.lastCall = time
        intervals.observe(function, time: time)
    }

    mutating func learnSequence(_ function: UInt32, _ place: NextFunctionModel.Place) {
        // Every request opens a trial; the next of the same trail closes it, and some stay open for ever.
        if let gap = next.gap(place) { userLags.add(Float(gap)) }
        userTrials += 1
        if userTrials > 100_000 {
            userTrials *= 0.5
            userLags.scale(0.5)
        }
        // The weights are settled after some thousand calls; then one in eight keeps them so.
        requests += 1
        if requests == 20_000 { next.learningInterval = Self.learningInterval }
        next.update(function, place)
    }

    private mutating func event(_ topic: UInt32, time: Double) {
        dependencies.occurred(.topic(topic), user: Signal.nobody, time: time)
        expectEffects(of: .topic(topic), time: time)
    }

    private mutating func expectEffects(of cause: Cause, time: Double) {
        guard settings.sources.contains(.dependency) else { return }
        for effect in dependencies.effects(of: cause).prefix(8) {
            let index = register(effect.function, at: time)
            functions[index]?.expect(
                Expectation(
                    origin: UInt64(cause.code), isSequence: false, start: time, probability: effect.probability,
                    lags: effect.lags, trials: max(1, effect.lags.total)))
            changed.insert(effect.function)
            openSample(index, at: time)
        }
    }

    /// Lets the likeliest next functions of this user be expected, in place of those from their call before.
    private mutating func expectNext(_ place: NextFunctionModel.Place, _ trail: UInt32) {
        guard settings.sources.contains(.sequence) else { return }
        for candidate in next.predict(place, limit: 6) where candidate.probability >= 0.02 {
            let index = register(candidate.function, at: place.time)
            functions[index]?.expect(
                Expectation(
                    origin: UInt64(trail), isSequence: true, start: place.time, probability: candidate.probability,
                    lags: userLags, trials: max(4, userTrials)))
            changed.insert(candidate.function)
        }
    }
}
