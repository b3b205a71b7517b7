/// Bounds of the engine on a node.
package struct ForecastSettings: Sendable, Equatable {
    /// Functions with a history of their own; the one silent longest makes room.
    package var functions = 10_000
    /// Users whose trails are kept; those silent longest make room.
    package var users = 100_000
    /// Successors kept of all Markov contexts together.
    package var successors = 400_000
    /// Dependencies, learned and static.
    package var dependencies = 50_000
    /// Sources that are asked; the others still learn.
    package var sources = Set(ForecastSource.allCases)
    package var seed: UInt64 = 5
    /// Whether the LSTM is one of the sources of sequences; see `SequenceNetwork` for what it costs.
    package var usesNetwork = false
    /// Whether item neighbours are; they brought nothing on the data that docs/forecast.md tells of.
    package var usesNeighbors = false

    package init() {}

    package func validate() throws(ForecastError) {
        for (name, value) in [
            ("functions", functions), ("users", users), ("successors", successors), ("dependencies", dependencies),
        ] where value < 16 || value > 1 << 24 {
            throw .badSetting(name: name, reason: "\(value) is not between 16 and 16777216")
        }
    }
}

/// Who speaks for a function's forecast.
package enum ForecastSource: Int, CaseIterable, Sendable, Hashable {
    /// Idle-time hazards by minute: rhythm, period, gap pattern, time of hour and day.
    case occurrence
    /// The last gaps, to the second.
    case interval
    /// What users who are at work now call next: Markov contexts, neighbours, factors, popularity, LSTM.
    case sequence
    /// Callers and topics that just occurred.
    case dependency
    /// The coordinator's plan.
    case plan

    package var label: String {
        switch self {
        case .occurrence: "idle time and seasonality"
        case .interval: "recent intervals"
        case .sequence: "user sequences"
        case .dependency: "callers and events"
        case .plan: "coordinator's plan"
        }
    }
}
