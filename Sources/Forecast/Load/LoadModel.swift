import Glibc

/// How many: the level of a load in the coming slot (requests, starts, sandboxes in use), with daily and weekly
/// seasonality.
///
/// Eight experts forecast each slot; an expert's say falls with the fourth power of its mean error over the latest two
/// days, which is the soft form of the per-block choice among forecasters of FeMux (EuroSys 2026). O(n^2) a slot for
/// the n = 168 values of the harmonics; 6 KB a series.
package struct LoadModel: Sendable {
    package enum Expert: Int, CaseIterable, Sendable {
        /// The slot before; the same slot yesterday; its mean over seven days.
        case last, yesterday, profile
        /// The profile, scaled by how far the latest slot was from its own.
        case level
        /// Autoregression of order ten on logarithmic steps.
        case autoregression
        /// Steps, explained by the profile's step and yesterday's and last week's, and the tail of the latest slot.
        case step
        /// Deviation from the profile, explained by those of the slots, the day and the week before.
        case deviation
        /// Ten harmonics of the last seven days.
        case harmonics
    }

    package let slotsPerDay: Int
    /// Latest last; eight days and a little.
    private var values: [Double] = []
    private var tails: [SIMD2<Double>] = []
    private var seen = 0
    private var autoregression = RecursiveLeastSquares(inputs: 11, forgetting: 0.998)
    private var step = RecursiveLeastSquares(inputs: 10, forgetting: 0.998)
    private var deviation = RecursiveLeastSquares(inputs: 10, forgetting: 0.99, confidence: 100)
    /// Absolute errors of every expert in the latest `errorsKept` slots.
    private var errors: [[Double]] = []
    private var pending: Pending?
    package var enabled = Set(Expert.allCases)

    private struct Pending: Sendable {
        var opinions: [Double?] = []
        var inputs: [[Double]] = []
    }

    package init(slotsPerDay: Int = 24) { self.slotsPerDay = max(2, slotsPerDay) }

    private var week: Int { 7 * slotsPerDay }
    private var kept: Int { week + slotsPerDay + 2 }
    private var errorsKept: Int { 2 * slotsPerDay }

    /// Learns the level of the slot that just ended. `quarter` and `twelfth` are the levels of its last quarter and
    /// twelfth, scaled to a whole slot, where they are known.
    package mutating func update(_ value: Double, quarter: Double? = nil, twelfth: Double? = nil) {
        let value = value.isFinite ? max(0, value) : 0
        prepare()
        if let pending {
            errors.append(pending.opinions.map { abs(($0 ?? .nan) - value) })
            if errors.count > errorsKept { errors.removeFirst() }
            if let last = values.last, !pending.inputs.isEmpty {
                let change = Self.logarithm(value) - Self.logarithm(last)
                autoregression.learn(pending.inputs[0], change)
                step.learn(pending.inputs[1], change)
                deviation.learn(pending.inputs[2], Self.logarithm(value) - Self.logarithm(profile(back: 0)))
            }
        }
        pending = nil
        values.append(value)
        tails.append(SIMD2(quarter ?? value, twelfth ?? value))
        seen += 1
        if values.count > kept {
            values.removeFirst()
            tails.removeFirst()
        }
    }

    /// The level of the coming slot; 0 before anything is known.
    package mutating func predict() -> Double {
        prepare()
        guard let pending else { return 0 }
        var sum = 0.0
        var weights = 0.0
        for expert in Expert.allCases where enabled.contains(expert) {
            guard let opinion = pending.opinions[expert.rawValue] else { continue }
            let error = meanError(expert)
            guard let error else { continue }
            let weight = pow(max(error, 1e-6), -4)
            sum += weight * opinion
            weights += weight
        }
        return weights > 0 ? sum / weights : values.last ?? 0
    }

    /// What one expert says; nil while it knows too little.
    package mutating func predict(_ expert: Expert) -> Double? {
        prepare()
        return pending?.opinions[expert.rawValue]
    }

    /// The expert with the smallest mean error over the latest two days.
    package var best: Expert? {
        Expert.allCases.filter { meanError($0) != nil }.min { (meanError($0) ?? 0) < (meanError($1) ?? 0) }
    }

    private func meanError(_ expert: Expert) -> Double? {
        let known = errors.lazy.map { $0[expert.rawValue] }.filter { !$0.isNaN }
        let count = known.count
        guard count * 4 >= errors.count, count > 0 else { return nil }
        return known.reduce(0, +) / Double(count)
    }

    private static func logarithm(_ value: Double) -> Double { log(value + 1) }

    /// The value `back` slots before the coming one, 1: the latest.
    private func value(_ back: Int) -> Double? {
        back >= 1 && back <= values.count ? values[values.count - back] : nil
    }

    /// The mean of the same slot over the days before, `back` slots before the coming one.
    private func profile(back: Int) -> Double {
        var sum = 0.0
        var count = 0.0
        for day in 1...7 {
            guard let value = value(back + day * slotsPerDay) else { break }
            sum += value
            count += 1
        }
        return count > 0 ? sum / count : 0
    }

    private mutating func prepare() {
        guard pending == nil, let last = values.last else { return }
        var fresh = Pending(opinions: [Double?](repeating: nil, count: Expert.allCases.count))
        func say(_ expert: Expert, _ value: Double) { fresh.opinions[expert.rawValue] = max(0, value) }
        say(.last, last)
        if let yesterday = value(slotsPerDay) { say(.yesterday, yesterday) }
        let coming = profile(back: 0)
        let latest = profile(back: 1)
        if values.count > slotsPerDay {
            say(.profile, coming)
            if latest > 0 { say(.level, coming * last / latest) }
        }
        if seen > week + slotsPerDay {
            fresh.inputs = inputs(coming, latest)
            let base = Self.logarithm(last)
            say(.autoregression, Self.level(base + autoregression.predict(fresh.inputs[0]), values))
            say(.step, Self.level(base + step.predict(fresh.inputs[1]), values))
            say(.deviation, Self.level(Self.logarithm(coming) + deviation.predict(fresh.inputs[2]), values))
        }
        if let harmonics = Harmonics.next(values.suffix(week)) { say(.harmonics, harmonics) }
        pending = fresh
    }

    /// Back from the logarithm, not beyond three times anything seen.
    private static func level(_ logarithm: Double, _ values: [Double]) -> Double {
        min(exp(min(logarithm, 60)) - 1, 3 * (values.max() ?? 0))
    }

    private func inputs(_ coming: Double, _ latest: Double) -> [[Double]] {
        func log(_ back: Int) -> Double { Self.logarithm(value(back) ?? 0) }
        func ratio(_ back: Int) -> Double { log(back) - Self.logarithm(profile(back: back)) }
        let tail = tails[tails.count - 1]
        let quarter = Self.logarithm(tail.x) - log(1)
        let twelfth = Self.logarithm(tail.y) - log(1)
        let day = slotsPerDay
        return [
            [1] + (1...10).map { log($0) - log($0 + 1) },
            [
                1, Self.logarithm(coming) - Self.logarithm(latest), ratio(1), ratio(2), log(1) - log(2), quarter,
                twelfth, log(day) - log(day + 1), log(7 * day) - log(7 * day + 1), log(1) - log(day + 1),
            ],
            [
                1, log(1) - Self.logarithm(coming), quarter, twelfth, ratio(1), ratio(2), ratio(day - 1), ratio(day),
                ratio(day + 1), log(7 * day) - Self.logarithm(coming),
            ],
        ]
    }
}

extension LoadModel: Model {
    package typealias Question = Void
    package typealias Answer = Double
    package typealias Lesson = Double

    package mutating func update(_ lesson: Double) { update(lesson, quarter: nil, twelfth: nil) }
    package mutating func predict(_ question: Void) -> Double { predict() }

    package var memoryBytes: Int {
        (values.count + 2 * tails.count + errors.count * Expert.allCases.count + 380) * MemoryLayout<Double>.stride
    }

    /// A series is a whole: it is kept or dropped by whoever holds it.
    package mutating func forget(toFit bytes: Int) {
        if bytes < memoryBytes { self = LoadModel(slotsPerDay: slotsPerDay) }
    }

    package func save(to archive: inout ArchiveWriter) {
        archive.put(UInt32(slotsPerDay))
        archive.put(UInt32(values.count))
        archive.put(Int64(seen))
        for (value, tail) in zip(values, tails) {
            for number in [value, tail.x, tail.y] { archive.put(number) }
        }
        for regression in [autoregression, step, deviation] { regression.save(to: &archive) }
        archive.put(UInt32(errors.count))
        for row in errors { for error in row { archive.put(error.isNaN ? -1 : error) } }
    }

    package init(from archive: inout ArchiveReader) throws(ForecastError) {
        let slots = Int(try archive.get(UInt32.self))
        try archive.require(slots >= 2 && slots <= 1440, "\(slots) slots a day")
        self.init(slotsPerDay: slots)
        let count = try archive.count(size: 24)
        try archive.require(count <= kept, "\(count) values of a load")
        seen = max(count, Int(clamping: try archive.get(Int64.self)))
        for _ in 0..<count {
            values.append(max(0, try archive.get(Double.self)))
            let quarter = try archive.get(Double.self)
            tails.append(SIMD2(max(0, quarter), max(0, try archive.get(Double.self))))
        }
        try autoregression.load(from: &archive)
        try step.load(from: &archive)
        try deviation.load(from: &archive)
        let rows = try archive.count(size: 8 * Expert.allCases.count)
        for _ in 0..<rows {
            var row: [Double] = []
            for _ in Expert.allCases {
                let error = try archive.get(Double.self)
                row.append(error < 0 ? .nan : error)
            }
            errors.append(row)
        }
    }
}
