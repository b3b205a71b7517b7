/// A trace as the event replay sees it: every request with its time and its service time.
package struct EventTrace: Sendable {
    package struct Request: Sendable {
        /// Microseconds since minute 0.
        package var arrival: Int64
        /// Microseconds of service once user code runs.
        package var run: Int64
        package var unit: Int32
        package var user: Int32
    }

    package let name: String
    package let units: [MinuteTrace.Unit]
    package let users: [String]
    package let originMinute: Int
    /// By arrival.
    package let requests: [Request]
    /// Microseconds.
    package let end: Int64

    /// Takes a per-invocation trace as it is. Minute counts are spread evenly at random within their minute, with
    /// service times drawn from the published percentiles; a concurrency c becomes ceil(c) requests that together keep
    /// c busy for the minute. `seed` fixes all draws.
    package init(_ trace: Trace, costs: NodeCosts, seed: UInt64) {
        let minuteView = MinuteTrace(trace)
        name = trace.name
        units = minuteView.units
        users = trace.users
        originMinute = trace.originMinute
        var requests: [Request] = []
        requests.reserveCapacity(trace.invocationCount)
        let fallback = costs.us(costs.defaultRunMs)
        if trace.resolution == .invocations {
            for invocation in trace.invocations {
                requests.append(
                    Request(
                        arrival: invocation.startMs * 1000,
                        run: invocation.durationMs >= 0 ? Int64(invocation.durationMs) * 1000 : fallback,
                        unit: invocation.unit, user: invocation.user))
            }
        } else {
            var random = SplitMix64(state: seed)
            for (index, unit) in trace.units.enumerated() {
                for entry in unit.activity {
                    let count = entry.invocations(trace.resolution)
                    let busy = trace.resolution == .concurrency ? Double(entry.value) / Double(max(1, count)) : 0
                    for _ in 0..<count {
                        let run: Int64
                        if trace.resolution == .concurrency {
                            run = Int64(busy * 60e6)
                        } else if let durations = unit.durations {
                            run = costs.us(durations.milliseconds(at: random.unit()))
                        } else {
                            run = fallback
                        }
                        let slack = max(0, 60e6 - (trace.resolution == .concurrency ? Double(run) : 0))
                        let arrival = Int64(entry.minute) * 60_000_000 + Int64(random.unit() * slack)
                        requests.append(Request(arrival: arrival, run: run, unit: Int32(index), user: -1))
                    }
                }
            }
            requests.sort { ($0.arrival, $0.unit, $0.run) < ($1.arrival, $1.unit, $1.run) }
        }
        self.requests = requests
        end = Int64(trace.minutes) * 60_000_000
    }
}
