import Glibc

/// When a function is called next, finer than minutes: a renewal forecast from its last 24 gaps.
///
/// The distribution of the next gap is a mixture of narrow kernels on the logarithm of each gap seen (a kernel estimate,
/// weighted to the latest), with a log-uniform floor for gaps never seen; the forecast is that distribution given how
/// long it has been idle. Sees what the minute model cannot: a call every 20 s is due in 20 s. 130 bytes a function.
package struct IntervalModel: Sendable {
    static let kept = 24

    struct State: Sendable {
        /// Natural logarithms of the gaps in seconds, a ring.
        var gaps = SIMD32<Float>.zero
        var count: UInt8 = 0
        var next: UInt8 = 0
        /// Seconds; negative: never.
        var last = -1.0
    }

    private var states: [State] = []
    /// Gaps outside 50 ms ... 12 days count as these.
    private static let lowest: Float = -3
    private static let highest: Float = 14
    /// Width of a kernel: a gap of 60 s is held to vary by about 3 s.
    private static let width: Float = 0.03
    /// How many gaps the floor counts for.
    private static let floorWeight: Float = 0.7

    package init() {}

    package mutating func observe(_ function: UInt32, time: Double) {
        let index = Int(function)
        if index >= states.count {
            states.append(contentsOf: repeatElement(State(), count: index + 1 - states.count))
        }
        if states[index].last >= 0 && time >= states[index].last {
            let gap = logf(max(0.05, Float(time - states[index].last)))
            states[index].gaps[Int(states[index].next)] = min(gap, Self.highest)
            states[index].next = (states[index].next + 1) % UInt8(Self.kept)
            states[index].count = min(UInt8(Self.kept), states[index].count + 1)
        }
        states[index].last = max(states[index].last, time)
    }

    package mutating func remove(_ function: UInt32) {
        if Int(function) < states.count { states[Int(function)] = State() }
    }

    package func lastCall(_ function: UInt32) -> Double? {
        guard Int(function) < states.count, states[Int(function)].last >= 0 else { return nil }
        return states[Int(function)].last
    }

    /// The gaps' logarithms with their weights, the latest first, and the last call in seconds.
    func recent(_ function: UInt32) -> (gaps: [Float], weights: [Float], last: Double)? {
        guard Int(function) < states.count, states[Int(function)].count > 0 else { return nil }
        let state = states[Int(function)]
        var gaps: [Float] = []
        var weights: [Float] = []
        var weight: Float = 1
        for age in 1...Int(state.count) {
            gaps.append(state.gaps[(Int(state.next) + Self.kept - age) % Self.kept])
            weights.append(weight)
            weight *= 0.95
        }
        return (gaps, weights, state.last)
    }

    /// The weight of gaps never seen that are longer than `seconds`.
    func floorShare(after seconds: Float) -> Float {
        guard seconds > 0 else { return Self.floorWeight }
        return Self.floorWeight * min(1, max(0, (Self.highest - logf(seconds)) / (Self.highest - Self.lowest)))
    }

    /// P(the gap is at most `seconds`).
    private static func distribution(_ state: State, _ seconds: Float) -> Float {
        guard seconds > 0 else { return 0 }
        let place = logf(seconds)
        var sum = floorWeight * min(1, max(0, (place - lowest) / (highest - lowest)))
        var total = floorWeight
        var weight: Float = 1
        for age in 1...kept where age <= Int(state.count) {
            let at = (Int(state.next) + kept - age) % kept
            let distance = (place - state.gaps[at]) / width
            sum += weight * (distance < -12 ? 0 : distance > 12 ? 1 : LogOdds.probability(distance))
            total += weight
            weight *= 0.95
        }
        return sum / total
    }

    /// P(called within `seconds` from `time`); nil before two calls.
    package func probability(_ function: UInt32, within seconds: Double, at time: Double) -> Float? {
        guard Int(function) < states.count else { return nil }
        let state = states[Int(function)]
        guard state.count > 0 else { return nil }
        let idle = Float(max(0, time - state.last))
        let before = Self.distribution(state, idle)
        let after = Self.distribution(state, idle + Float(seconds))
        return min(0.9999, max(0, (after - before) / max(1e-4, 1 - before)))
    }

    /// Seconds from `time` until the call is due with probability `share`, at most `limit`.
    package func due(_ function: UInt32, share: Float, at time: Double, limit: Double) -> Double? {
        guard let last = probability(function, within: limit, at: time), last >= share else { return nil }
        var low = 0.0
        var high = limit
        for _ in 0..<16 {
            let middle = (low + high) / 2
            if probability(function, within: middle, at: time) ?? 0 >= share { high = middle } else { low = middle }
        }
        return high
    }

    /// Gives back the storage behind the last function that is known.
    mutating func compact() {
        states = Array(states.prefix((states.lastIndex { $0.last >= 0 } ?? -1) + 1))
    }

    mutating func forgetOldest(toFit bytes: Int) {
        let size = MemoryLayout<State>.stride
        let used = states.indices.filter { states[$0].last >= 0 }.sorted { states[$0].last < states[$1].last }
        guard used.count * size > bytes else { return }
        for index in used.prefix(used.count - bytes / size) { states[index] = State() }
    }

    package var memoryBytes: Int { states.capacity * MemoryLayout<State>.stride }

    package func save(to archive: inout ArchiveWriter) {
        archive.put(UInt32(states.count))
        for state in states {
            archive.put(state.last)
            archive.put(state.count)
            for age in stride(from: Int(state.count), to: 0, by: -1) {
                archive.put(state.gaps[(Int(state.next) + Self.kept - age) % Self.kept])
            }
        }
    }

    package init(from archive: inout ArchiveReader) throws(ForecastError) {
        let count = try archive.count(size: 9)
        for _ in 0..<count {
            var state = State()
            state.last = try archive.get(Double.self)
            let gaps = try archive.get(UInt8.self)
            try archive.require(Int(gaps) <= Self.kept, "\(gaps) gaps of a function")
            for index in 0..<Int(gaps) { state.gaps[index] = try archive.get(Float.self) }
            state.count = gaps
            state.next = gaps % UInt8(Self.kept)
            states.append(state)
        }
    }
}
