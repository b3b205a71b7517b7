/// Sets the price of memory in a forecast-driven replay: load a unit if p / (1 - p) > lambda.
package protocol PriceRule {
    /// The price for the coming minute: what it takes to keep a unit that is loaded, and to load a fresh one, in
    /// steps of `ForecastTape`.
    mutating func price(minute: Int) -> (keep: Int, load: Int)
    /// Told of each minute once it is over.
    mutating func observe(_ minute: MinuteSummary)
}

/// What happened in one minute of a forecast-driven replay.
package struct MinuteSummary {
    package var minute: Int
    package var active: Int
    package var cold: Int
    /// Units loaded in vain, and the memory they held.
    package var idleLoaded: Int
    package var idleLoadedMB: Double
    package var loads: Int
    /// Idle and active units of this minute by the forecast they had: `.0` forecast, `.1` memory.
    package var idleForecasts: LogOddsHistogram
    package var activeForecasts: LogOddsHistogram
}

/// A constant price. `freshFactor` multiplies it for a fresh load: hysteresis where loads are not free.
package struct ConstantPrice: PriceRule {
    let keep: Int
    let load: Int

    package init(lambda: Double, freshFactor: Double = 1) {
        self.init(step: ForecastTape.step(lambda: lambda), freshFactor: freshFactor)
    }

    init(step: Int, freshFactor: Double = 1) {
        keep = step
        load = step + ForecastTape.step(lambda: freshFactor)
    }

    package func price(minute: Int) -> (keep: Int, load: Int) { (keep, load) }
    package func observe(_ minute: MinuteSummary) {}
}

/// Counts by log-odds, in 512 bins of 1/16 from -16 to 16.
package struct LogOddsHistogram: Sendable {
    static let bins = 512
    static let stepsPerBin = 125
    package var weights = [Float](repeating: 0, count: bins)
    package var total: Float = 0

    /// The weight of what had a forecast at all.
    var known: Float { weights.reduce(0, +) }

    static func bin(_ step: Int16) -> Int { min(bins - 1, (Int(step) + 32_000) / stepsPerBin) }
    /// The lowest tape step of a bin.
    static func step(bin: Int) -> Int { bin * stepsPerBin - 32_000 }

    mutating func add(_ step: Int16, _ weight: Float) {
        // Unknown units cannot be loaded at any price, so they are in the total only.
        total += weight
        if step > Int16.min + 1 { weights[max(0, Self.bin(step))] += weight }
    }

    mutating func clear() {
        for bin in weights.indices { weights[bin] = 0 }
        total = 0
    }

    /// self = self x keep + other.
    mutating func decay(_ keep: Float, adding other: LogOddsHistogram) {
        for bin in weights.indices { weights[bin] = weights[bin] * keep + other.weights[bin] }
        total = total * keep + other.total
    }

    /// The tape step above which the weight is at most `amount`, linear inside a bin.
    func step(whereAboveIs amount: Float) -> Int {
        var above: Float = 0
        for bin in stride(from: Self.bins - 1, through: 0, by: -1) {
            let weight = weights[bin]
            if above + weight > amount {
                let part = weight > 0 ? (amount - above) / weight : 0
                return Self.step(bin: bin + 1) - Int(part * Float(Self.stepsPerBin))
            }
            above += weight
        }
        return Int(Int16.min) + 1
    }
}
