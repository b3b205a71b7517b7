/// A trace as the minute replay sees it: who was active in which minute, by unit and by minute.
package struct MinuteTrace: Sendable {
    package let name: String
    /// The horizon in minutes.
    package let minutes: Int
    /// See `Trace.originMinute`.
    package let originMinute: Int
    package let units: [Unit]
    /// For minute m the active units are `activeUnits[minuteStart[m]..<minuteStart[m + 1]]`, ascending.
    package let minuteStart: [Int]
    package let activeUnits: [Int32]
    /// Invocations of each entry of `activeUnits`.
    package let activeCounts: [Int32]

    /// For minute m the calls by known users are `calls[callStart[m]..<callStart[m + 1]]`, in the order of their time.
    private let callStart: [Int]
    private let calls: [UserCall]

    package struct Unit: Sendable {
        package let id: String
        package let app: String
        package let owner: String
        package let trigger: String
        package let memoryMB: Double
        /// Active minutes, ascending.
        package let active: [Int32]
        package let invocations: Int
    }

    /// Memory of a unit whose trace tells none, when no other unit tells any either: Lambda's smallest size.
    package static let defaultMemoryMB = 128.0

    package init(_ trace: Trace) {
        name = trace.name
        minutes = trace.minutes
        originMinute = trace.originMinute
        let known = trace.units.compactMap(\.memoryMB).filter { $0 > 0 }.sorted()
        let fallback = known.isEmpty ? Self.defaultMemoryMB : known[known.count / 2]
        units = trace.units.map { unit in
            Unit(
                id: unit.id, app: unit.app, owner: unit.owner, trigger: unit.trigger,
                memoryMB: unit.memoryMB.flatMap { $0 > 0 ? $0 : nil } ?? fallback,
                active: unit.activity.map(\.minute), invocations: unit.invocations(trace.resolution))
        }
        var starts = [Int](repeating: 0, count: trace.minutes + 1)
        for unit in trace.units { for entry in unit.activity { starts[Int(entry.minute) + 1] += 1 } }
        for minute in 0..<trace.minutes { starts[minute + 1] += starts[minute] }
        var fill = starts
        var active = [Int32](repeating: 0, count: starts[trace.minutes])
        var counts = active
        for (index, unit) in trace.units.enumerated() {
            for entry in unit.activity {
                let slot = fill[Int(entry.minute)]
                active[slot] = Int32(index)
                counts[slot] = Int32(clamping: entry.invocations(trace.resolution))
                fill[Int(entry.minute)] += 1
            }
        }
        var callStart = [Int](repeating: 0, count: trace.minutes + 1)
        var calls: [UserCall] = []
        var minute = 0
        for invocation in trace.invocations where invocation.user >= 0 {
            let at = Int(invocation.startMs / 60_000)
            while minute < min(at, trace.minutes) {
                minute += 1
                callStart[minute] = calls.count
            }
            calls.append(UserCall(unit: invocation.unit, user: invocation.user))
        }
        while minute < trace.minutes {
            minute += 1
            callStart[minute] = calls.count
        }
        self.callStart = callStart
        self.calls = calls
        minuteStart = starts
        activeUnits = active
        activeCounts = counts
    }

    /// The calls by known users in a minute.
    func calls(in minute: Int) -> ArraySlice<UserCall> { calls[callStart[minute]..<callStart[minute + 1]] }

    /// The trace tells of some calls whose they were.
    package var knowsUsers: Bool { !calls.isEmpty }

    package var activeMinuteCount: Int { activeUnits.count }
    /// Memory of all units together, MB: what "never unload" needs in the end.
    package var neededMB: Double { units.reduce(0) { $0 + $1.memoryMB } }
}
