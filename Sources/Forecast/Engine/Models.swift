// The other models behind the one protocol; what is not said here they have already.

/// A request as the sequence models learn it.
package struct SequenceLesson: Sendable {
    package var function: UInt32
    package var user: UInt32
    /// The functions before it, the newest first.
    package var recent: [UInt32]
    /// Seconds.
    package var time: Double

    package init(function: UInt32, user: UInt32, recent: [UInt32], time: Double) {
        self.function = function
        self.user = user
        self.recent = recent
        self.time = time
    }
}

extension NextFunctionModel: Model {
    package typealias Question = Place
    package typealias Answer = [Candidate]
    package typealias Lesson = (function: UInt32, place: Place)

    package mutating func update(_ lesson: Lesson) { update(lesson.function, lesson.place) }
    package mutating func predict(_ question: Place) -> [Candidate] { predict(question, limit: 16) }
}

extension MarkovModel: Model {
    package mutating func update(_ lesson: SequenceLesson) {
        update(lesson.function, user: lesson.user, recent: lesson.recent)
    }

    /// The scores of all candidates.
    package mutating func predict(_ question: (user: UInt32, recent: [UInt32])) -> ScoreBoard {
        var scores = ScoreBoard()
        predict(user: question.user, recent: question.recent, scope: .both, into: &scores)
        return scores
    }
}

extension ItemNeighbors: Model {
    package mutating func update(_ lesson: SequenceLesson) { update(lesson.function, known: lesson.recent) }

    /// The neighbours of all functions in question.
    package mutating func predict(_ question: [UInt32]) -> ScoreBoard {
        var scores = ScoreBoard()
        for function in question { predict(function, weight: 1, into: &scores) }
        return scores
    }
}

extension FactorModel: Model {
    package mutating func update(_ lesson: SequenceLesson) {
        update(lesson.function, user: lesson.user, last: lesson.recent.first)
    }

    package mutating func predict(_ question: (function: UInt32, user: UInt32, last: UInt32?)) -> Float {
        score(question.function, user: question.user, last: question.last)
    }

    /// Halves the user vectors until they fit: users then share vectors.
    package mutating func forget(toFit bytes: Int) { shrinkUsers(toFit: bytes) }
}

extension Popularity: Model {
    package typealias Lesson = SequenceLesson
    package typealias Question = UInt32
    package typealias Answer = Float

    package mutating func update(_ lesson: SequenceLesson) { update(lesson.function) }
    /// The share among the latest calls.
    package mutating func predict(_ question: UInt32) -> Float { recentShare(question) }
    /// Twelve bytes a function: nothing is worth forgetting.
    package mutating func forget(toFit bytes: Int) {}
}

extension DependencyModel: Model {
    package mutating func update(_ lesson: Signal) {
        let time = Forecaster.seconds(lesson.time)
        switch lesson.kind {
        case .request(let function, let user, _, _):
            followed(function, user: user, time: time)
            occurred(.function(function), user: user, time: time)
        case .event(let topic): occurred(.topic(topic), user: Signal.nobody, time: time)
        case .dependency(let from, let to, let lag): seed(from, to, lag: lag)
        case .sessionEnd: break
        }
    }

    package mutating func predict(_ question: Cause) -> [Effect] { effects(of: question) }
}

extension IntervalModel: Model {
    package mutating func update(_ lesson: SequenceLesson) { observe(lesson.function, time: lesson.time) }

    package mutating func predict(_ question: (function: UInt32, seconds: Double, time: Double)) -> Float? {
        probability(question.function, within: question.seconds, at: question.time)
    }

    /// Removes the functions silent longest.
    package mutating func forget(toFit bytes: Int) { forgetOldest(toFit: bytes) }
}

extension SequenceNetwork: Model {
    package mutating func update(_ lesson: SequenceLesson) { update(lesson.function, stream: lesson.user, gap: nil) }

    /// The probability of each function by number.
    package mutating func predict(_ question: UInt32) -> [Float] {
        predict(stream: question)
        return (0..<UInt32(functions)).map { probability($0) }
    }

    /// The weights are a whole: without room for them the network begins anew.
    package mutating func forget(toFit bytes: Int) {
        if bytes < memoryBytes { self = SequenceNetwork(limit: limit) }
    }
}
