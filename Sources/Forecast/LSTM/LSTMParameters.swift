/// The numbers of the network, or their gradients, or Adam's moments: the same shape each time.
struct LSTMParameters: Sendable, Equatable {
    static let width = 32
    static let gapClasses = 8

    /// One row a function: what it looks like as an input.
    var embedding: [Vector32]
    /// One row a class of time gaps, added to the embedding.
    var gap: [Vector32]
    /// Column-major, `[gate * width + input]`; gates: input, forget, cell, output.
    var fromInput: [Vector32]
    var fromHidden: [Vector32]
    var bias: [Vector32]
    /// One row a function: what it looks like as an output, and its bias.
    var output: [Vector32]
    var outputBias: [Float]

    /// All zero.
    init(functions: Int) {
        embedding = [Vector32](repeating: .zero, count: functions)
        gap = [Vector32](repeating: .zero, count: Self.gapClasses)
        fromInput = [Vector32](repeating: .zero, count: 4 * Self.width)
        fromHidden = fromInput
        bias = [Vector32](repeating: .zero, count: 4)
        output = embedding
        outputBias = [Float](repeating: 0, count: functions)
    }

    var functions: Int { embedding.count }

    /// The tables of vectors, in the order of the weight file.
    static var tables: [WritableKeyPath<LSTMParameters, [Vector32]>] {
        [\.embedding, \.gap, \.fromInput, \.fromHidden, \.bias, \.output]
    }

    static func randomRow(_ scale: Float, _ random: inout SeededGenerator) -> Vector32 {
        var row = Vector32.zero
        for lane in 0..<width { row[lane] = scale * random.normal() }
        return row
    }

    /// First weights: normal with variance 1/width, the forget gate open (Gers et al., 2000).
    mutating func initialize(_ random: inout SeededGenerator) {
        let scale: Float = 0.18
        for index in fromInput.indices {
            fromInput[index] = Self.randomRow(scale, &random)
            fromHidden[index] = Self.randomRow(scale, &random)
        }
        for index in gap.indices { gap[index] = Self.randomRow(0.1, &random) }
        bias[1] = Vector32(repeating: 1)
    }

    mutating func grow(to functions: Int, _ random: inout SeededGenerator, isWeights: Bool) {
        while embedding.count < functions {
            embedding.append(isWeights ? Self.randomRow(0.3, &random) : .zero)
            output.append(isWeights ? Self.randomRow(0.05, &random) : .zero)
            outputBias.append(0)
        }
    }
}
