extension Forecaster {
    /// Lets time pass: tells the minutes that went by to the models of up to `limit` functions, going round all of
    /// them. Call it at least once a minute for each function; about 2 us a function and minute. Returns how many
    /// functions were looked at.
    @discardableResult
    package mutating func advance(to time: Int64, limit: Int = .max) -> Int {
        let now = max(latest, Self.seconds(time))
        latest = now
        let count = min(limit, functions.count)
        for _ in 0..<count {
            if cursor >= functions.count { cursor = 0 }
            if functions[cursor] != nil {
                settleSample(cursor, calledAt: nil)
                catchUp(cursor, to: now)
                openSample(cursor, at: now)
            }
            cursor += 1
        }
        return count
    }

    /// Minutes a function that came back is stepped through at most; those before are skipped without learning.
    private static let longestCatchUp = 180

    /// Tells the occurrence model that the whole minutes before `time` were idle, as far as it was not told.
    mutating func catchUp(_ index: Int, to time: Double) {
        // Single fields: a copy of the state would count references up and down.
        let minute = Int(time / 60)
        guard let next = functions[index]?.nextMinute, next < minute, let unit = functions[index]?.unit else { return }
        if functions[index]?.lastCall ?? -.infinity > -.infinity {
            for idle in max(next, minute - Self.longestCatchUp)..<minute {
                occurrence.observe(unit, active: false, minute: idle)
            }
        }
        functions[index]?.nextMinute = minute
        functions[index]?.expectations.removeAll { time - $0.start > 1800 }
    }

    /// Notes what is forecast now, to compare it with what comes; one forecast a function at a time.
    mutating func openSample(_ index: Int, at time: Double) {
        guard functions[index]?.lastCall ?? -.infinity > -.infinity, functions[index]?.sample == nil else { return }
        let opinions = opinions(index, at: time)
        var sample = FunctionState.Sample(
            time: time, inputs: .init(repeating: .zero), masks: .init(repeating: 0))
        for horizon in Self.horizons.indices {
            let (inputs, mask) = HorizonStacker.inputs(Self.spoken(opinions, horizon))
            sample.inputs[horizon] = inputs
            sample.masks[horizon] = mask
        }
        functions[index]?.sample = sample
    }

    /// Learns from the horizons that are over, or that a call at `calledAt` ends.
    mutating func settleSample(_ index: Int, calledAt: Double?) {
        guard var sample = functions[index]?.sample else { return }
        let now = calledAt ?? latest
        for (horizon, seconds) in Self.horizons.enumerated() where sample.settled >> UInt8(horizon) & 1 == 0 {
            let isOver = now >= sample.time + seconds
            let hit = calledAt != nil && !isOver
            guard isOver || hit else { continue }
            stackers[horizon].learn(sample.inputs[horizon], sample.masks[horizon], hit: hit)
            sample.settled |= 1 << UInt8(horizon)
        }
        // The next sample waits for the longest horizon, or busy times would be sampled more often than quiet ones.
        let isDone = now >= sample.time + (Self.horizons.last ?? 0)
        functions[index]?.sample = isDone ? nil : sample
    }
}
