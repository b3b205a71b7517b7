import WarmPool

/// What an event replay counts.
package struct EventOutcome: Sendable {
    package var policy: String
    package var budgetMB: Double
    /// Served requests by start kind.
    package var starts = [Int](repeating: 0, count: StartKind.allCases.count)
    /// Served requests by unit, and those that started cold.
    package var served: [Int32]
    package var cold: [Int32]
    package var rejected = 0
    /// Requests that waited for memory or for a sandbox.
    package var queued = 0
    /// Microseconds from arrival to user code.
    package var latency = StartHistogram()
    package var created = 0
    package var evicted = 0
    /// MB x microseconds held by sandboxes, and the part of it in which they served nothing.
    package var heldMBus = 0.0
    package var idleMBus = 0.0
    package var peakMB = 0.0
    /// Prefetches by what became of them: used when ready, used while still starting, never used.
    package var prefetchHits = 0
    package var prefetchLate = 0
    package var prefetchWasted = 0
    /// (seconds, threshold) for policies that have one.
    package var thresholds: [(seconds: Double, value: Double)] = []

    init(policy: String, budgetMB: Double, units: Int) {
        self.policy = policy
        self.budgetMB = budgetMB
        served = [Int32](repeating: 0, count: units)
        cold = served
    }

    mutating func serve(_ unit: Int, _ kind: StartKind, waited: Int64, us latency: Int64) {
        starts[Int(kind.rawValue)] += 1
        served[unit] += 1
        if kind == .cold { cold[unit] += 1 }
        if waited > 0 { queued += 1 }
        self.latency.add(latency)
    }
}
