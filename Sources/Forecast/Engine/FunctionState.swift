/// What the engine keeps of a function beside its models.
struct FunctionState: Sendable {
    /// Slot in the occurrence model.
    var unit: UInt32
    /// Seconds of the last call.
    var lastCall: Double
    var expectations: [Expectation] = []
    var sample: Sample?
    /// The whole minute that is told to the occurrence model next.
    var nextMinute: Int

    /// A forecast whose truth is awaited, to learn the ensemble by.
    struct Sample: Sendable {
        var time: Double
        /// One for each horizon; inline, for there is one of these a function.
        var inputs: InlineArray<3, HorizonStacker.Inputs>
        var masks: InlineArray<3, UInt8>
        /// Horizons that are settled already.
        var settled: UInt8 = 0
    }

    static let expectationsKept = 12

    mutating func expect(_ expectation: Expectation) {
        expectations.removeAll { $0.origin == expectation.origin && $0.isSequence == expectation.isSequence }
        if expectations.count >= Self.expectationsKept {
            let weakest = expectations.indices.min { expectations[$0].probability < expectations[$1].probability }
            if let weakest { expectations.remove(at: weakest) }
        }
        expectations.append(expectation)
    }
}
