/// What the unit of a replay is.
package enum Granularity: String, Sendable, CaseIterable {
    case function
    /// All functions of an application together: Azure allocates by application.
    case app
}

/// Collects what the readers find into one `Trace`. Rows may come in any order and from several files.
struct TraceBuilder {
    /// Minutes of the longest trace: ten years.
    static let longest = 5_260_000

    let granularity: Granularity
    private(set) var resolution: Trace.Resolution?
    private var units: [TraceUnit] = []
    private var index: [String: Int] = [:]
    private var users: [String] = []
    private var userIndex: [String: Int32] = [:]
    private var invocations: [Invocation] = []
    private var horizon = 0
    var originMinute = 0
    private var unsorted: Set<Int> = []

    init(granularity: Granularity) { self.granularity = granularity }

    var isEmpty: Bool { units.isEmpty }

    /// Says what kind of trace the file at `path` holds. Kinds do not mix.
    mutating func declare(_ kind: Trace.Resolution, path: String) throws(ReplayError) {
        guard let known = resolution, known != kind else {
            resolution = kind
            return
        }
        throw .unsuitable(
            reason: "\(path) holds \(kind.rawValue), the files before it \(known.rawValue): replay them one at a time")
    }

    /// The unit for a function, made on first sight. `app` may be empty.
    mutating func unit(function: String, app: String, owner: String = "", trigger: String = "") -> Int {
        let isApp = granularity == .app && !app.isEmpty
        let key = isApp ? app : "\(app)/\(function)"
        if let known = index[key] { return known }
        index[key] = units.count
        units.append(
            TraceUnit(id: isApp ? app : function, app: app, owner: owner, trigger: isApp ? "" : trigger))
        return units.count - 1
    }

    mutating func user(_ name: String) -> Int32 {
        guard !name.isEmpty else { return -1 }
        if let known = userIndex[name] { return known }
        let fresh = Int32(users.count)
        userIndex[name] = fresh
        users.append(name)
        return fresh
    }

    /// Adds a count or a concurrency to a minute of a unit.
    mutating func add(unit: Int, minute: Int, value: Float) {
        let fresh = ActiveMinute(minute: Int32(minute), value: value)
        if let last = units[unit].activity.last, last.minute >= fresh.minute {
            if last.minute == fresh.minute {
                units[unit].activity[units[unit].activity.count - 1].value += value
                return
            }
            unsorted.insert(unit)
        }
        units[unit].activity.append(fresh)
    }

    mutating func add(_ invocation: Invocation) { invocations.append(invocation) }

    mutating func extendHorizon(to minutes: Int) { horizon = max(horizon, minutes) }

    mutating func setMemory(_ megabytes: Double, unit: Int) { units[unit].memoryMB = megabytes }

    /// Gives the units of `app`, or the one unit, the memory of a file beside the trace.
    mutating func setMemory(_ megabytes: Double, app: String) {
        if let known = index[app] { units[known].memoryMB = megabytes }
    }

    func knownUnit(function: String, app: String) -> Int? { index["\(app)/\(function)"] ?? index[app] }

    mutating func setDurations(_ durations: DurationPercentiles, unit: Int) { units[unit].durations = durations }

    /// Shares each application's memory among its functions; Azure measures by application only.
    mutating func shareMemory(_ byApp: [String: Double]) {
        guard granularity == .function else {
            for (app, megabytes) in byApp { setMemory(megabytes, app: app) }
            return
        }
        var functions: [String: Int] = [:]
        for unit in units { functions[unit.app, default: 0] += 1 }
        for position in units.indices {
            guard let megabytes = byApp[units[position].app] else { continue }
            units[position].memoryMB = megabytes / Double(functions[units[position].app] ?? 1)
        }
    }

    /// The finished trace: times start at the first minute, units without activity are left out.
    mutating func finish(name: String, wholeDays: Bool) throws(ReplayError) -> Trace {
        guard let resolution else { throw .unsuitable(reason: "\(name) holds no invocations to replay") }
        if resolution == .invocations { try minutesFromInvocations(name: name, wholeDays: wholeDays) }
        for unit in unsorted { sortActivity(of: unit) }
        var renumbered = [Int32](repeating: -1, count: units.count)
        var kept: [TraceUnit] = []
        for (position, unit) in units.enumerated() where !unit.activity.isEmpty {
            renumbered[position] = Int32(kept.count)
            kept.append(unit)
        }
        guard !kept.isEmpty else { throw .unsuitable(reason: "\(name) holds no active minute: nothing to replay") }
        for position in invocations.indices {
            invocations[position].unit = renumbered[Int(invocations[position].unit)]
        }
        return Trace(
            name: name, resolution: resolution, minutes: horizon, originMinute: originMinute, units: kept,
            invocations: invocations, users: users)
    }

    private mutating func sortActivity(of unit: Int) {
        var merged: [ActiveMinute] = []
        for minute in units[unit].activity.sorted(by: { $0.minute < $1.minute }) {
            if merged.last?.minute == minute.minute {
                merged[merged.count - 1].value += minute.value
            } else {
                merged.append(minute)
            }
        }
        units[unit].activity = merged
    }

    /// Sorts by start (Azure 2021 is ordered by end), moves minute 0 to the first one, and counts by the minute.
    private mutating func minutesFromInvocations(name: String, wholeDays: Bool) throws(ReplayError) {
        invocations.sort {
            ($0.startMs, $0.unit, $0.user, $0.durationMs) < ($1.startMs, $1.unit, $1.user, $1.durationMs)
        }
        guard let first = invocations.first, let last = invocations.last else { return }
        let minute: Int64 = 60_000
        guard last.startMs - first.startMs < Int64(Self.longest) * minute else {
            throw .unsuitable(
                reason:
                    "\(name): its first and last invocation are more than ten years apart; one of the times is wrong")
        }
        let grain: Int64 = wholeDays ? 1440 * minute : minute
        let shift = (first.startMs.flooredDivision(by: grain)) * grain
        originMinute += Int(shift / minute)
        for position in invocations.indices {
            invocations[position].startMs -= shift
            add(
                unit: Int(invocations[position].unit), minute: Int(invocations[position].startMs / minute), value: 1)
        }
        horizon = Int((last.startMs - shift).flooredDivision(by: grain) + 1) * Int(grain / minute)
    }
}

extension Int64 {
    /// Division that rounds towards minus infinity: a start before the first timestamp is negative.
    func flooredDivision(by divisor: Int64) -> Int64 {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? quotient - 1 : quotient
    }
}
