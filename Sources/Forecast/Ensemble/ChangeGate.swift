/// Whether the next call goes to another function than the last: the one candidate that is always there decides more than
/// any other, and differs by user more than by function.
///
/// A logistic regression on what the stacking and the single contexts say of the last function, online by AdaGrad; its
/// weights are the sum of a general vector and one each by gap and experience, by run and variety, and by the user (a hash of
/// 1024 classes). It begins as what the stacking says.
package struct ChangeGate: Sendable {
    package typealias Inputs = SIMD8<Float>
    /// The slots of the inputs: log-odds that the last function is called again.
    package enum Input: Int, CaseIterable, Sendable {
        case stacked, blend, userMarkov, firstOrder
        /// Log-odds of the likeliest other, given that it is another.
        case strongest
        /// Log-odds of the last function's share among the user's calls.
        case frequency
        case bias
        /// What the user's own contexts leave to everybody's.
        case unknown
    }

    static let userClasses = 1024
    /// Steps larger than the stacking's: a user's class sees few calls. Smaller ones give a lower log-loss and fewer changes
    /// foretold (docs/forecast.md).
    private static let rate: Float = 0.08
    private static let sets = [1, NextFunctionModel.contexts, NextFunctionModel.habits, userClasses]
    private var weights: [Inputs]
    private var squares: [Inputs]

    package init() {
        let count = Self.sets.reduce(0, +)
        weights = [Inputs](repeating: .zero, count: count)
        weights[0][Input.stacked.rawValue] = 1
        squares = [Inputs](repeating: Inputs(repeating: 1), count: count)
    }

    /// A question with its answer, to learn from when the truth is known.
    package struct Answer: Sendable {
        var inputs: Inputs
        var places: SIMD4<Int32>
        /// That the last function is called again.
        package var probability: Float
    }

    /// Log-odds of a probability, not beyond 1 in 50: single contexts with few counts say 0 and 1 lightly.
    @inline(__always)
    static func opinion(_ probability: Float) -> Float { LogOdds.of(min(0.98, max(0.02, probability))) }

    package func ask(_ inputs: Inputs, context: Int, habit: Int, user: UInt32) -> Answer {
        let first = 1 + NextFunctionModel.contexts
        let user = Int(truncatingIfNeeded: SeededGenerator.mix(UInt64(user)) % UInt64(Self.userClasses))
        let places = SIMD4(
            0, Int32(1 + context), Int32(first + habit), Int32(first + NextFunctionModel.habits + user))
        var weight = weights[0]
        for set in 1..<4 { weight += weights[Int(places[set])] }
        let logOdds = min(12, max(-12, (weight * inputs).sum()))
        return Answer(inputs: inputs, places: places, probability: LogOdds.probability(logOdds))
    }

    package mutating func learn(_ answer: Answer, same: Bool) {
        let gradient = (answer.probability - (same ? 1 : 0)) * answer.inputs
        for set in 0..<4 {
            let index = Int(answer.places[set])
            squares[index] += gradient * gradient
            weights[index] -= Self.rate * gradient / squares[index].squareRoot()
        }
    }

    package var memoryBytes: Int { 2 * weights.count * MemoryLayout<Inputs>.stride }

    package func save(to archive: inout ArchiveWriter) {
        archive.putSparse(weights)
        archive.putSparse(squares, empty: Inputs(repeating: 1))
    }

    package init(from archive: inout ArchiveReader) throws(ForecastError) {
        self.init()
        weights[0] = .zero
        try archive.getSparse(into: &weights)
        try archive.getSparse(into: &squares)
        let smallest = squares.lazy.map { $0.min() }.min() ?? 0
        try archive.require(smallest > 0, "a sum of squares is not positive")
    }
}
