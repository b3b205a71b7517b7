/// The neural source of sequences: an LSTM over functions and time gaps, trained as it goes by Adam on batches of the
/// latest calls, with backpropagation truncated at eight steps. Deterministic for a seed.
///
/// A forecast costs eight steps and one row a function: about 30 us and 10 ns a function. Functions beyond `limit` are
/// not known to it.
package struct SequenceNetwork: Sendable {
    package static let window = 8
    private static let batch = 8
    private static let streams = 8192

    private(set) var weights: LSTMParameters
    private var gradient: LSTMParameters
    private var adam: Adam
    private var random: SeededGenerator
    private var waiting = 0
    private var windows: [UInt32: [LSTMStep]] = [:]
    private var scores: [Float] = []
    private var learning: [Float] = []
    package let limit: Int
    /// Updates are made only while this is set: a node may use weights that were trained elsewhere.
    package var isLearning = true

    package init(limit: Int = 8192, seed: UInt64 = 7) {
        self.limit = limit
        random = SeededGenerator(seed: seed)
        weights = LSTMParameters(functions: 0)
        weights.initialize(&random)
        gradient = LSTMParameters(functions: 0)
        adam = Adam(functions: 0)
    }

    package var functions: Int { weights.functions }

    static func gapClass(_ gap: Double?) -> Int {
        guard let gap else { return 0 }
        let edges: [Double] = [2, 10, 40, 180, 900, 7200]
        return 1 + edges.count { gap > $0 }
    }

    package mutating func update(_ function: UInt32, stream: UInt32, gap: Double?) {
        let index = Int(function)
        guard index < limit else { return }
        if index >= weights.functions {
            weights.grow(to: index + 1, &random, isWeights: true)
            gradient.grow(to: index + 1, &random, isWeights: false)
            adam.mean.grow(to: index + 1, &random, isWeights: false)
            adam.variance.grow(to: index + 1, &random, isWeights: false)
        }
        var window = windows[stream] ?? []
        if isLearning, !window.isEmpty, weights.functions > 1 {
            _ = LSTM.learn(weights, window, target: index, gradient: &gradient, scores: &learning)
            waiting += 1
            if waiting >= Self.batch {
                adam.step(&weights, gradient: gradient, scale: 1 / Float(waiting))
                gradient = LSTMParameters(functions: weights.functions)
                waiting = 0
            }
        }
        guard stream != Signal.nobody else { return }
        window.append(LSTMStep(function: index, gapClass: Self.gapClass(gap)))
        if window.count > Self.window { window.removeFirst() }
        // All at once: the windows fill again within a few calls.
        if windows.count >= Self.streams && windows[stream] == nil { windows.removeAll(keepingCapacity: true) }
        windows[stream] = window
    }

    /// Makes `probability` answer for what follows in `stream`.
    package mutating func predict(stream: UInt32) {
        guard let window = windows[stream], let last = LSTM.forward(weights, window).last else {
            scores = []
            return
        }
        LSTM.softmax(weights, last.hidden, into: &scores)
    }

    package func probability(_ function: UInt32) -> Float {
        Int(function) < scores.count ? scores[Int(function)] : 0
    }

    package var memoryBytes: Int { weights.functions * 128 * 2 * 4 + windows.count * 200 + 160_000 }

    /// The weights as a file of their own: kind 3, version 2; `functions u32 | width u32 | gap classes u32`, then the
    /// tables embedding, gap, fromInput, fromHidden, bias, output as sparse tables of 16-float halves of rows, then the output
    /// biases; the frame carries version and checksum.
    package func saveWeights() -> [UInt8] {
        var archive = ArchiveWriter(kind: .network)
        putWeights(to: &archive)
        return archive.finish()
    }

    /// A network with weights that were trained elsewhere; it goes on learning from there.
    package init(weights bytes: [UInt8], limit: Int = 8192, seed: UInt64 = 7) throws(ForecastError) {
        var archive = try ArchiveReader(bytes, kind: .network)
        self.init(limit: limit, seed: seed)
        try getWeights(from: &archive)
        try archive.finish()
    }

    private func putWeights(to archive: inout ArchiveWriter) {
        for number in [weights.functions, LSTMParameters.width, LSTMParameters.gapClasses] {
            archive.put(UInt32(number))
        }
        for table in LSTMParameters.tables { archive.putSparse(weights[keyPath: table]) }
        archive.put(weights.outputBias)
    }

    private mutating func getWeights(from archive: inout ArchiveReader) throws(ForecastError) {
        let functions = try archive.count(size: 4)
        try archive.require(functions <= limit, "weights for \(functions) functions, at most \(limit) are held")
        let width = try archive.get(UInt32.self)
        let gaps = try archive.get(UInt32.self)
        try archive.require(
            width == LSTMParameters.width && gaps == LSTMParameters.gapClasses,
            "a network of width \(width) with \(gaps) gap classes")
        weights = LSTMParameters(functions: functions)
        gradient = weights
        adam = Adam(functions: functions)
        for table in LSTMParameters.tables { try archive.getSparse(into: &weights[keyPath: table]) }
        weights.outputBias = try archive.get([Float].self)
        try archive.require(weights.outputBias.count == functions, "\(weights.outputBias.count) output biases")
    }

    /// With the engine only the weights are kept: Adam's moments and the windows come back by themselves.
    package func save(to archive: inout ArchiveWriter) {
        archive.put(UInt32(limit))
        archive.put(random.state)
        putWeights(to: &archive)
    }

    package init(from archive: inout ArchiveReader) throws(ForecastError) {
        let limit = Int(try archive.get(UInt32.self))
        try archive.require(limit <= 1 << 20, "a network of \(limit) functions")
        self.init(limit: limit, seed: try archive.get(UInt64.self))
        try getWeights(from: &archive)
    }
}
