/// When idle sandboxes are used again, learned from those there were: the rate of uses by how long they have been idle.
///
/// Ages fall into octaves, each with its uses and the seconds spent idle in it; what was evicted counts for as long
/// as it was watched, which keeps the rates unbiased (right censoring). A function's own counts are believed as far as
/// they go beyond one use; below them stand those of all functions called about as often, then those of all.
struct ReuseModel: Sendable {
    /// Classes by the octave of the mean gap between a function's calls; the last for functions without one.
    static let classes = AgeBins.count + 1
    private var all = ReuseCounts()
    private var byGap = [ReuseCounts](repeating: ReuseCounts(), count: classes)

    /// The class of functions with this mean gap between calls in seconds; nil: not called twice yet.
    static func gapClass(_ gap: Double?) -> Int { gap.map { AgeBins.bin($0) } ?? AgeBins.count }

    /// Counts idle time from age `from` to age `to`, seconds, which ended by a use or was only watched.
    mutating func watched(
        _ gapClass: Int, _ own: inout ReuseCounts, from: Double, to: Double, isUse: Bool
    ) {
        all.add(from: from, to: to, isUse: isUse)
        byGap[gapClass].add(from: from, to: to, isUse: isUse)
        own.add(from: from, to: to, isUse: isUse)
    }

    /// Uses a second that keeping a sandbox brings which has been idle for `age` seconds: the best ratio of uses to
    /// time over all lengths of keeping it (the Gittins index of a single use). It looks ahead: a function called
    /// every ten minutes is worth more the nearer its call.
    func useRate(_ gapClass: Int, _ own: ReuseCounts, age: Double) -> Double {
        var survival = 1.0
        var uses = 0.0
        var time = 0.0
        var best = 0.0
        for bin in AgeBins.bin(age)..<AgeBins.count {
            let rate = rate(gapClass, own, bin)
            let passes = rate * (AgeBins.end(bin) - max(age, AgeBins.begin(bin)))
            let used = survival * (1 - 1 / exponential(passes))
            uses += used
            time += used / rate
            survival -= used
            best = max(best, uses / time)
            // What is left could add a fiftieth at most.
            if survival < 0.02 { break }
        }
        return best
    }

    private func rate(_ gapClass: Int, _ own: ReuseCounts, _ bin: Int) -> Double {
        // Before anything is known: heavy tails, where what was idle for long stays idle for as long again.
        let begin = max(AgeBins.begin(bin), AgeBins.end(0))
        return own.rate(bin, below: byGap[gapClass].rate(bin, below: all.rate(bin, below: 0.5 / begin)))
    }

    private func exponential(_ x: Double) -> Double {
        // (1 + y + y2/2)^64 with y = x/64: within 1e-4 where it matters; the standard library has no exp.
        let y = min(x, 1e3) / 64
        var power = 1 + y + y * y / 2
        for _ in 0..<6 { power *= power }
        return power
    }
}

/// Octaves of age from a sixteenth of a second to half a year; the first bin holds all below.
enum AgeBins {
    static let count = 29
    private static let begins: [Double] = {
        var begins = [0.0, 1.0 / 16]
        while begins.count <= count { begins.append(begins[begins.count - 1] * 2) }
        return begins
    }()

    static func begin(_ bin: Int) -> Double { begins[bin] }
    static func end(_ bin: Int) -> Double { begins[bin + 1] }

    static func bin(_ age: Double) -> Int {
        guard age >= 1.0 / 16 else { return 0 }
        return age < begins[count - 1] ? 1 + Int((age * 16).exponent) : count - 1
    }
}

/// Uses and idle seconds by age.
struct ReuseCounts: Sendable {
    /// Empty until something is counted.
    private var uses: [Float] = []
    private var seconds: [Float] = []
    private var total: Float = 0
    /// Uses after which all is halved, so that new ways are believed in time.
    private static let memory: Float = 4096

    /// Uses a second in `bin`, believed against one use at the rate `below`.
    func rate(_ bin: Int, below: Double) -> Double {
        uses.isEmpty ? below : (Double(uses[bin]) + 1) / (Double(seconds[bin]) + 1 / below)
    }

    mutating func add(from: Double, to: Double, isUse: Bool) {
        if uses.isEmpty {
            uses = [Float](repeating: 0, count: AgeBins.count)
            seconds = uses
        }
        var at = from
        var bin = AgeBins.bin(from)
        while bin < AgeBins.count - 1, AgeBins.end(bin) <= to {
            seconds[bin] += Float(max(0, AgeBins.end(bin) - at))
            at = AgeBins.end(bin)
            bin += 1
        }
        seconds[bin] += Float(max(0, to - at))
        guard isUse else { return }
        uses[bin] += 1
        total += 1
        guard total >= Self.memory else { return }
        total /= 2
        for bin in uses.indices {
            uses[bin] /= 2
            seconds[bin] /= 2
        }
    }
}
