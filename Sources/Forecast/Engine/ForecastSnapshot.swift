/// The engine as it was at one moment, to be encoded on another thread while the original goes on.
///
/// Taking one copies nothing. What the original changes afterwards is copied then, one table at its first change, so that no single
/// event waits for more than one table; after `encode` the copies are all that is left.
package struct ForecastSnapshot: Sendable {
    private let engine: Forecaster

    init(_ engine: Forecaster) { self.engine = engine }

    /// The file: what `Forecaster.save` of that moment would have returned.
    package func encode() -> [UInt8] { engine.save() }
}

extension Forecaster {
    /// What is to be saved now. Hold it no longer than its encoding takes: until it is gone, the tables exist twice.
    package func snapshot() -> ForecastSnapshot { ForecastSnapshot(self) }
}
