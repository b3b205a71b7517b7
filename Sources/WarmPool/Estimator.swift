/// Mean and mean deviation as exponential averages: the retransmission timer's estimator of TCP (Jacobson 1988,
/// RFC 6298): gain 1/8 for the mean, 1/4 for the deviation.
struct Estimator: Sendable {
    private(set) var mean = 0.0
    private(set) var deviation = 0.0
    private(set) var count = 0

    mutating func add(_ sample: Double) {
        guard sample >= 0, sample < 1e18 else { return }
        if count == 0 {
            mean = sample
            deviation = sample / 2
        } else {
            deviation += (abs(sample - mean) - deviation) / 4
            mean += (sample - mean) / 8
        }
        count += 1
    }

    /// nil until there was a sample.
    var known: Double? { count == 0 ? nil : mean }
}
