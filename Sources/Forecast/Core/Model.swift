/// An observation with its names interned: what the models take in.
package struct Signal: Sendable, Equatable {
    /// Nanoseconds.
    package var time: Int64
    package var kind: Kind

    package enum Kind: Sendable, Equatable {
        case request(function: UInt32, user: UInt32, session: UInt32, arguments: UInt64)
        case event(topic: UInt32)
        case sessionEnd(user: UInt32)
        case dependency(from: Cause, to: UInt32, lag: Float)
    }

    /// No user or session is known.
    package static let nobody = UInt32.max
}

/// What can bring a function about.
package enum Cause: Sendable, Hashable {
    case function(UInt32)
    case topic(UInt32)

    /// Function and topic numbers in one space.
    package var code: UInt32 {
        switch self {
        case .function(let number): number << 1
        case .topic(let number): number << 1 | 1
        }
    }

    package init(code: UInt32) { self = code & 1 == 0 ? .function(code >> 1) : .topic(code >> 1) }
}

/// A candidate for the next request, with its probability.
package struct Candidate: Sendable, Equatable {
    package var function: UInt32
    package var probability: Float

    package init(_ function: UInt32, _ probability: Float) {
        self.function = function
        self.probability = probability
    }
}

/// One source of forecasts. Values, so that the engine can be copied and saved beside the loop that goes on.
package protocol Model: Sendable {
    /// What the question depends on, and what the answer is: hazards by minute, candidates, levels.
    associatedtype Question
    associatedtype Answer
    /// What is learned from: signals, or minutes.
    associatedtype Lesson

    mutating func update(_ lesson: Lesson)
    mutating func predict(_ question: Question) -> Answer
    func save(to archive: inout ArchiveWriter)
    init(from archive: inout ArchiveReader) throws(ForecastError)
    /// Bytes held, estimated from the sizes of the tables.
    var memoryBytes: Int { get }
    /// Forgets the least valuable history until about `bytes` are held.
    mutating func forget(toFit bytes: Int)
}
