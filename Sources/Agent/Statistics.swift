import Linux
import Wire

/// Counters since the agent's start.
struct Statistics {
    struct PerFunction {
        var starts: [HearthStartKind: UInt64] = [:]
        var outcomes: [Outcome: UInt64] = [:]
        var runNanoseconds: UInt64 = 0
        var startNanoseconds: UInt64 = 0
    }

    var functions: [String: PerFunction] = [:]
    var outcomes: [Outcome: UInt64] = [:]

    @LoopActor
    mutating func record(_ invocation: Invocation, _ result: InvocationResult) {
        let timing = invocation.times.wire
        outcomes[result.outcome, default: 0] += 1
        functions[invocation.function.name, default: PerFunction()].add(invocation.startKind, result.outcome, timing)
    }

    /// An invocation that an earlier hearthd had accepted, and that had no end when it was killed.
    mutating func recordLost(_ function: String, isKnown: Bool) {
        outcomes[.agentRestarted, default: 0] += 1
        if isKnown { functions[function, default: PerFunction()].outcomes[.agentRestarted, default: 0] += 1 }
    }

    mutating func forget(_ function: String) {
        functions[function] = nil
    }

    func response(function: String) -> HearthStatsResponse {
        var response = HearthStatsResponse()
        for (name, counts) in functions.sorted(by: { $0.key < $1.key }) where function.isEmpty || name == function {
            var stats = HearthFunctionStats()
            stats.function = name
            stats.starts = counts.starts.sorted { $0.key.rawValue < $1.key.rawValue }.map { kind, count in
                var entry = HearthStartKindCount()
                entry.startKind = kind
                entry.count = count
                return entry
            }
            stats.outcomes = Self.list(counts.outcomes)
            stats.runNs = counts.runNanoseconds
            stats.startNs = counts.startNanoseconds
            response.functions.append(stats)
        }
        response.outcomes = Self.list(outcomes)
        return response
    }

    private static func list(_ outcomes: [Outcome: UInt64]) -> [HearthOutcomeCount] {
        outcomes.sorted { $0.key.wire.rawValue < $1.key.wire.rawValue }.map { outcome, count in
            var entry = HearthOutcomeCount()
            entry.outcome = outcome.wire
            entry.count = count
            return entry
        }
    }
}

extension Statistics.PerFunction {
    fileprivate mutating func add(_ start: HearthStartKind, _ outcome: Outcome, _ timing: HearthTiming) {
        if start != .unspecified { starts[start, default: 0] += 1 }
        outcomes[outcome, default: 0] += 1
        runNanoseconds &+= timing.runNs
        startNanoseconds &+= timing.queuedNs &+ timing.sandboxNs &+ timing.initNs
    }
}
