/// Turns a score into a probability that can be believed: isotonic regression (Zadrozny and Elkan, KDD 2002) on classes
/// of log-odds, online and forgetting.
///
/// Each class holds forecasts, hits and the sum of the forecasts; pooling adjacent violators makes the hit rates
/// ascend. A class with little evidence stays near what was said. A forecast costs one interpolation.
package struct Calibrator: Sendable {
    private static let classes = 32
    private static let lowest: Float = -12
    private static let step: Float = 0.75
    /// How many forecasts of its own mean a class begins with.
    private static let strength: Float = 12
    private static let cap: Float = 4000

    private var trials = [Float](repeating: 0, count: classes)
    private var hits = [Float](repeating: 0, count: classes)
    private var said = [Float](repeating: 0, count: classes)
    /// What to add to the log-odds at the middle of each class.
    private var shift = [Float](repeating: 0, count: classes)
    private var since = 0

    package init() {}

    private static func place(_ logOdds: Float) -> Float {
        min(Float(classes) - 1.001, max(0, (logOdds - lowest) / step - 0.5))
    }

    package func logOdds(_ score: Float) -> Float {
        let place = Self.place(score)
        let low = Int(place)
        let part = place - Float(low)
        return score + shift[low] * (1 - part) + shift[low + 1] * part
    }

    package func probability(_ score: Float) -> Float { LogOdds.probability(logOdds(score)) }

    package mutating func learn(_ score: Float, hit: Bool) {
        let index = min(Self.classes - 1, max(0, Int((score - Self.lowest) / Self.step)))
        trials[index] += 1
        hits[index] += hit ? 1 : 0
        said[index] += LogOdds.probability(score)
        if trials[index] > Self.cap {
            trials[index] *= 0.5
            hits[index] *= 0.5
            said[index] *= 0.5
        }
        since += 1
        if since >= 64 {
            since = 0
            pool()
        }
    }

    /// Pool adjacent violators.
    private mutating func pool() {
        var blocks: [(weight: Float, rate: Float, classes: Int)] = []
        for index in 0..<Self.classes {
            let middle = LogOdds.probability(Self.lowest + (Float(index) + 0.5) * Self.step)
            let mean = trials[index] > 0 ? said[index] / trials[index] : middle
            let weight = trials[index] + Self.strength
            blocks.append((weight, (hits[index] + Self.strength * mean) / weight, 1))
            while blocks.count > 1, blocks[blocks.count - 2].rate > blocks[blocks.count - 1].rate {
                let last = blocks.removeLast()
                let before = blocks.removeLast()
                let weight = last.weight + before.weight
                let rate = (last.weight * last.rate + before.weight * before.rate) / weight
                blocks.append((weight, rate, last.classes + before.classes))
            }
        }
        var index = 0
        for block in blocks {
            for _ in 0..<block.classes {
                let mean = trials[index] > 0 ? said[index] / trials[index] : nil
                let middle = Self.lowest + (Float(index) + 0.5) * Self.step
                let spoken = mean.map { LogOdds.of($0) } ?? middle
                let wanted = trials[index] > 0 || block.classes > 1 ? LogOdds.of(block.rate) : middle
                shift[index] = min(4, max(-4, wanted - spoken))
                // A class whose mean lies off its middle must not undo the order.
                if index > 0 { shift[index] = max(shift[index], shift[index - 1] - Self.step) }
                index += 1
            }
        }
    }

    package func save(to archive: inout ArchiveWriter) {
        for list in [trials, hits, said] { archive.put(list) }
    }

    package init(from archive: inout ArchiveReader) throws(ForecastError) {
        trials = try archive.get([Float].self)
        hits = try archive.get([Float].self)
        said = try archive.get([Float].self)
        try archive.require(
            [trials, hits, said].allSatisfy { $0.count == Self.classes && $0.allSatisfy { $0 >= 0 } },
            "a calibration table is malformed")
        pool()
    }
}
