import Glibc

/// Sixteen log-odds at a time: the inputs of a mixer.
typealias Inputs = SIMD16<Float>

/// Online logistic stacking in two layers, after the context mixing of Mahoney's PAQ (Florida Tech TR CS-2005-16):
/// several sets of weights, each chosen by a context of its own, give one log-odds each; a last set, chosen by another
/// context, mixes those. Each learns by the log-loss of its own output with AdaGrad (Duchi, Hazan, Singer, JMLR 2011).
struct StackingMixer: Sendable {
    var weights: [Inputs]
    var squares: [Inputs]
    var lastWeights: [SIMD8<Float>]
    var lastSquares: [SIMD8<Float>]
    /// Index of the first weight vector of each set.
    private let offsets: [Int]
    let contexts: [Int]
    let rate: Float
    let lastRate: Float
    /// What every weight vector begins with.
    let first: Inputs
    let lastFirst: SIMD8<Float>
    /// What the sums of squared gradients begin with: small, so that the first steps are about the rate itself.
    static let firstSquare: Float = 1e-4

    /// At most eight sets; `contexts` holds the number of contexts of each.
    init(first: Inputs, contexts: [Int], lastContexts: Int, rate: Float, lastRate: Float) {
        var offsets: [Int] = []
        var total = 0
        for count in contexts {
            offsets.append(total)
            total += count
        }
        self.offsets = offsets
        self.contexts = contexts
        self.rate = rate
        self.first = first
        self.lastRate = lastRate
        weights = [Inputs](repeating: first, count: total)
        squares = [Inputs](repeating: Inputs(repeating: Self.firstSquare), count: total)
        var share = SIMD8<Float>.zero
        for set in contexts.indices { share[set] = 1 / Float(contexts.count) }
        lastFirst = share
        lastWeights = [SIMD8<Float>](repeating: share, count: lastContexts)
        lastSquares = [SIMD8<Float>](repeating: SIMD8<Float>(repeating: Self.firstSquare), count: lastContexts)
    }

    /// The log-odds of every set and of the whole.
    func mix(_ inputs: Inputs, _ selected: SIMD8<Int32>, last: Int) -> (sets: SIMD8<Float>, logOdds: Float) {
        var sets = SIMD8<Float>.zero
        for set in offsets.indices {
            sets[set] = (weights[offsets[set] + Int(selected[set])] * inputs).sum()
        }
        sets.clamp(lowerBound: .init(repeating: -12), upperBound: .init(repeating: 12))
        return (sets, (lastWeights[last] * sets).sum())
    }

    /// Learns from what happened (1 or 0) after `mix` gave `sets` and `logOdds`.
    mutating func learn(
        _ inputs: Inputs, _ selected: SIMD8<Int32>, last: Int, sets: SIMD8<Float>, logOdds: Float, hit: Float
    ) {
        for set in offsets.indices {
            let index = offsets[set] + Int(selected[set])
            let gradient = (LogOdds.probability(sets[set]) - hit) * inputs
            let square = squares[index] + gradient * gradient
            squares[index] = square
            weights[index] -= rate * gradient / square.squareRoot()
        }
        let gradient = (LogOdds.probability(logOdds) - hit) * sets
        let square = lastSquares[last] + gradient * gradient
        lastSquares[last] = square
        lastWeights[last] -= lastRate * gradient / square.squareRoot()
    }

    /// Makes one vector of `set` begin where the single vector of `general` has come to.
    mutating func adopt(set: Int, context: Int, general: Int) {
        let index = offsets[set] + context
        weights[index] = weights[offsets[general]]
        squares[index] = Inputs(repeating: Self.adoptedSquare)
    }

    /// Gives one vector of `set` what another learned.
    mutating func move(set: Int, from context: Int, to other: Int) {
        weights[offsets[set] + other] = weights[offsets[set] + context]
        squares[offsets[set] + other] = squares[offsets[set] + context]
    }

    /// Sums of squared gradients of an adopted vector: steps of about a fifth of the rate at first.
    static let adoptedSquare: Float = 0.2
}
