/// Orders idle sandboxes for eviction: the lowest goes first; equals go least recently used first.
package protocol EvictionPolicy: Sendable {
    /// The part of a sandbox's priority that may be told anew while it is idle.
    func worth(of candidate: EvictionCandidate) -> Double
    /// Added to the worth, as it was when the sandbox became idle: what has been idle for long ages.
    var clock: Double { get }
    /// Whether `worth` looks at `probability`, which takes time to tell.
    var needsProbability: Bool { get }
    /// A sandbox of this priority was evicted to make room.
    mutating func evicted(priority: Double)
}

/// What an eviction policy may look at.
package struct EvictionCandidate: Sendable {
    package var lastUsed: Instant
    /// Uses a second expected of it, see `ReuseModel`.
    package var useRate: Double
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
    case hitDensity = "hit-density"

    func make() -> any EvictionPolicy {
        switch self {
        case .lru: LeastRecentlyUsed()
        case .priority: ByPriority()
        case .greedyDual: GreedyDual()
        case .hitDensity: HitDensity()
        }
    }
}

extension EvictionPolicy {
    package var clock: Double { 0 }
    package var needsProbability: Bool { false }
    package func evicted(priority: Double) {}
}

/// Least recently used first.
struct LeastRecentlyUsed: EvictionPolicy {
    func worth(of candidate: EvictionCandidate) -> Double { Double(candidate.lastUsed.nanoseconds) }
}

/// The least important function first.
struct ByPriority: EvictionPolicy {
    func worth(of candidate: EvictionCandidate) -> Double { candidate.weight }
}

/// Greedy-Dual-Size-Frequency as FaasCache (ASPLOS 2021) applies it to sandboxes: clock + frequency x cost / size, with
/// the probability of a use in place of the frequency. The clock takes the priority of what was evicted, so that what
/// was not used for long ages whatever it is worth.
struct GreedyDual: EvictionPolicy {
    private(set) var clock = 0.0
    var needsProbability: Bool { true }

    func worth(of candidate: EvictionCandidate) -> Double {
        candidate.probability * candidate.startCost * candidate.weight / max(candidate.megabytes, 1.0 / 1024)
    }

    mutating func evicted(priority: Double) { clock = max(clock, priority) }
}

/// The least start time saved a second and megabyte first, by the rate of uses that sandboxes idle as long have shown: hit
/// density (LHD, NSDI 2018) with the rates learned by survival analysis and the forecasts' where they are higher.
struct HitDensity: EvictionPolicy {
    func worth(of candidate: EvictionCandidate) -> Double { candidate.density }
}

extension EvictionCandidate {
    /// Milliseconds of start saved a second and megabyte.
    var density: Double { useRate * startCost * weight / max(megabytes, 1.0 / 1024) }
}
