/// What is expected of one function.
package struct Outlook: Sendable {
    package var function: UInt32
    /// Calibrated probability of a call within each of `Forecaster.horizons`.
    package var probabilities: [Float]
    /// Nanoseconds: when the call is due at the earliest (one time in ten it comes before); the time of asking when it
    /// may come at any moment.
    package var due: Int64
    /// What each source says, for the same horizons; sources that say nothing are missing.
    package var opinions: [Opinion]

    package struct Opinion: Sendable {
        package var source: ForecastSource
        /// The source's own probability for each horizon.
        package var probabilities: [Float]
        /// How much of the answer rests on it, for each horizon; the shares of all sources add up to one.
        package var shares: [Float]
    }
}
