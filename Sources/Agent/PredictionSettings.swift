import WarmPool

/// What the agent does about requests that have not come yet.
package struct PredictionSettings: Sendable, Equatable {
    package var isOn = true
    /// Functions and users whose history is kept; those silent longest make room.
    package var functions = 10_000
    package var users = 100_000
    /// Bytes that all of it may take; the least valuable history goes first.
    package var memory: Int64 = 200 << 20
    /// A file of `hearth replay --train-prior`: what a node begins with that has learned nothing of its own yet.
    package var prior: String?
    /// Nanoseconds between two saves of the state.
    package var saveInterval: Int64 = 60_000_000_000
    /// Milliseconds of saved start that one megabyte held for one second must bring.
    package var memoryPrice = 0.002
    /// Whether an idle sandbox is let go before its keep-alive is over, when no call is expected soon.
    package var endsKeepAlive = false
    /// The idle time in nanoseconds that it has nevertheless.
    package var minimumIdle: Int64 = 10_000_000_000
    /// The confidence from which on a sandbox is prefetched, until start latencies move it.
    package var threshold = 0.5

    package init() {}

    /// What of it the pool does by itself.
    func apply(to pool: inout Configuration) {
        pool.price = memoryPrice
        pool.forecastEndsKeepAlive = isOn && endsKeepAlive
        pool.minimumIdle = Nanoseconds(minimumIdle)
        pool.threshold.initial = min(max(threshold, pool.threshold.minimum), pool.threshold.maximum)
    }
}
