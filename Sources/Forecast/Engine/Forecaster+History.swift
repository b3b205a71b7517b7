extension Forecaster {
    /// Seconds by which what happens now may come out of order.
    private static let disorder = 5.0

    /// Takes an observation in at its own time, which may lie before what is known: a log that is read afterwards.
    ///
    /// What is newer than all that is known is observed as ever. Of the past, each function's history is taken as far as
    /// it lies before what is known of that function; sequences and dependencies are learned from the order of
    /// the lines. Nothing is expected for now from what is over. Returns false for what came too late to be of use.
    @discardableResult
    package mutating func recall(_ observation: Observation) -> Bool {
        let time = Self.seconds(max(0, observation.time))
        guard time < latest - Self.disorder else {
            if isInPast { dependencies.breakOff() }
            isInPast = false
            observe(observation)
            return true
        }
        if !isInPast { dependencies.breakOff() }
        isInPast = true
        switch observation.kind {
        case .request(let name, let user, let session, let arguments):
            guard let function = internFunction(name) else { return false }
            let index = register(function, at: time)
            if functions[index]?.lastCall ?? -.infinity == -.infinity {
                functions[index]?.nextMinute = Int(time / 60)
            }
            guard (functions[index]?.lastCall ?? -.infinity) <= time else { return false }
            catchUp(index, to: time)
            learnCall(index, function, time: time)
            let userNumber = user.map { internUser($0) } ?? Signal.nobody
            dependencies.followed(function, user: userNumber, time: time)
            dependencies.occurred(.function(function), user: userNumber, time: time)
            changed.insert(function)
            let sessionNumber = session.map { Self.sessionNumber($0) } ?? Signal.nobody
            guard userNumber != Signal.nobody || sessionNumber != Signal.nobody else { return true }
            learnSequence(
                function,
                NextFunctionModel.Place(user: userNumber, session: sessionNumber, time: time, arguments: arguments))
        case .event(let name, _):
            guard let topic = internTopic(name) else { return false }
            dependencies.occurred(.topic(topic), user: Signal.nobody, time: time)
        case .session, .dependency: observe(observation)
        }
        return true
    }
}
