/// A workload: units (functions, applications or models), and when they were active.
package struct Trace: Sendable {
    /// How much the trace knows of each moment.
    package enum Resolution: String, Sendable {
        /// Invocations counted by the minute.
        case counts
        /// Average concurrency by the minute (above zero: active).
        case concurrency
        /// Every invocation with its time.
        case invocations
    }

    package var name: String
    package var resolution: Resolution
    /// The horizon in minutes: minute 0 up to, and without, this one.
    package var minutes: Int
    /// Minutes since 1970-01-01 UTC of minute 0 when the trace is dated, else the minute of its first day (0...1439).
    package var originMinute: Int
    package var units: [TraceUnit]
    /// Every invocation in the order of its start; empty unless `resolution` is `.invocations`.
    package var invocations: [Invocation]
    /// The names behind `Invocation.user`.
    package var users: [String]

    /// Sum of the units' active minutes.
    package var activeMinutes: Int { units.reduce(0) { $0 + $1.activity.count } }
    /// Sum of the units' invocations.
    package var invocationCount: Int { units.reduce(0) { $0 + $1.invocations(resolution) } }
}

/// One unit of resource allocation.
package struct TraceUnit: Sendable {
    package var id: String
    package var app: String
    package var owner: String
    package var trigger: String
    /// Resident memory in MB, where the trace tells.
    package var memoryMB: Double?
    /// Service time in milliseconds at known percentiles, where the trace tells.
    package var durations: DurationPercentiles?
    /// Minutes in which the unit was active, ascending, each once.
    package var activity: [ActiveMinute] = []

    /// Invocations of the whole trace. For a concurrency trace a minute counts as ceil(concurrency) invocations,
    /// which is what the published percentages of the 100-application trace are relative to.
    package func invocations(_ resolution: Trace.Resolution) -> Int {
        activity.reduce(0) { $0 + $1.invocations(resolution) }
    }
}

/// A minute in which a unit was active, with its count or concurrency (> 0).
package struct ActiveMinute: Sendable, Equatable {
    package var minute: Int32
    package var value: Float

    package init(minute: Int32, value: Float) {
        self.minute = minute
        self.value = value
    }

    func invocations(_ resolution: Trace.Resolution) -> Int {
        resolution == .concurrency ? Int(value.rounded(.up)) : Int(value)
    }
}

/// One invocation of a per-invocation trace.
package struct Invocation: Sendable, Equatable {
    /// Milliseconds since minute 0.
    package var startMs: Int64
    package var unit: Int32
    /// Index into `Trace.users`, or -1.
    package var user: Int32
    /// Service time in milliseconds, or -1 where the trace does not tell.
    package var durationMs: Int32
}

/// A service time distribution as Azure 2019 publishes it: (percentile 0...100, milliseconds), ascending.
package struct DurationPercentiles: Sendable, Equatable {
    package var points: [Point]
    package struct Point: Sendable, Equatable {
        package var percentile: Double
        package var milliseconds: Double
    }

    /// The service time at `quantile` (0...1), linear between the published points.
    package func milliseconds(at quantile: Double) -> Double {
        guard let first = points.first, let last = points.last else { return 0 }
        let percentile = quantile * 100
        if percentile <= first.percentile { return first.milliseconds }
        for (low, high) in zip(points, points.dropFirst()) where percentile <= high.percentile {
            let width = high.percentile - low.percentile
            guard width > 0 else { return high.milliseconds }
            return low.milliseconds + (high.milliseconds - low.milliseconds) * (percentile - low.percentile) / width
        }
        return last.milliseconds
    }
}
