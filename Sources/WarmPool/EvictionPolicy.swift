/// Orders idle sandboxes for eviction: the lowest goes first; equals go least recently used first.
package protocol EvictionPolicy: Sendable {
    mutating func priority(of candidate: EvictionCandidate) -> Double
    /// A sandbox of this priority was evicted to make room.
    mutating func evicted(priority: Double)
}

/// What an eviction policy may look at.
package struct EvictionCandidate: Sendable {
    package var lastUsed: Instant
    /// Probability of a use within `Configuration.valueHorizon`: forecast, or from the function's own rate.
    package var probability: Double
    /// Milliseconds that the next start would take without it.
    package var startCost: Double
    package var megabytes: Double
    /// The function's importance.
    package var weight: Double
}

package enum EvictionPolicyName: String, Sendable, CaseIterable {
    case lru
    case priority
    case greedyDual = "greedy-dual"

    func make() -> any EvictionPolicy {
        switch self {
        case .lru: LeastRecentlyUsed()
        case .priority: ByPriority()
        case .greedyDual: GreedyDual()
        }
    }
}

/// Least recently used first.
struct LeastRecentlyUsed: EvictionPolicy {
    func priority(of candidate: EvictionCandidate) -> Double { Double(candidate.lastUsed.nanoseconds) }
    func evicted(priority: Double) {}
}

/// The least important function first.
struct ByPriority: EvictionPolicy {
    func priority(of candidate: EvictionCandidate) -> Double { candidate.weight }
    func evicted(priority: Double) {}
}

/// Greedy-Dual-Size-Frequency as FaasCache (ASPLOS 2021) applies it to sandboxes: clock + frequency x cost / size, with
/// the probability of a use in place of the frequency. The clock takes the priority of what was evicted, so that what
/// was not used for long ages whatever it is worth.
struct GreedyDual: EvictionPolicy {
    private(set) var clock = 0.0

    func priority(of candidate: EvictionCandidate) -> Double {
        clock + candidate.probability * candidate.startCost * candidate.weight / max(candidate.megabytes, 1.0 / 1024)
    }

    mutating func evicted(priority: Double) { clock = max(clock, priority) }
}
