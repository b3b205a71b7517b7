/// How often functions are called, all time and lately: what a user is offered of whom nothing is known.
package struct Popularity: Sendable {
    private var total: [Float] = []
    private var recent: [Float] = []
    private var recentStamp: [Float] = []
    private var calls: Float = 0
    private let decay: Float
    private var top: [UInt32] = []

    /// Lately means over about `memory` calls.
    package init(memory: Int = 300) { decay = 1 / Float(memory) }

    private func faded(_ function: UInt32) -> Float {
        let index = Int(function)
        let age = (calls - recentStamp[index]) * decay
        return age > 20 ? 0 : recent[index] * Self.fade(age)
    }

    private static func fade(_ age: Float) -> Float {
        // (1 - x/16)^16: an exponential without a call into libm.
        var base = max(0, 1 - age / 32)
        for _ in 0..<5 { base *= base }
        return base
    }

    package mutating func update(_ function: UInt32) {
        let index = Int(function)
        if index >= total.count {
            let more = index + 64 - total.count
            total.append(contentsOf: repeatElement(0, count: more))
            recent.append(contentsOf: repeatElement(0, count: more))
            recentStamp.append(contentsOf: repeatElement(0, count: more))
        }
        calls += 1
        total[index] += 1
        recent[index] = faded(function) + 1
        recentStamp[index] = calls
        // A short list of the leaders, kept by insertion.
        if let at = top.firstIndex(of: function) { top.remove(at: at) } else if top.count >= 32 { top.removeLast() }
        let score = recent[index]
        var at = top.count
        while at > 0 && faded(top[at - 1]) < score { at -= 1 }
        top.insert(function, at: at)
    }

    package func share(_ function: UInt32) -> Float {
        Int(function) < total.count ? total[Int(function)] / max(1, calls) : 0
    }

    /// The share among the latest calls.
    package func recentShare(_ function: UInt32) -> Float {
        Int(function) < total.count ? faded(function) * decay : 0
    }

    /// Up to 32 functions called most lately, about in order.
    package var leaders: [UInt32] { top }

    package var memoryBytes: Int { total.count * 12 }

    package func save(to archive: inout ArchiveWriter) {
        archive.put(decay)
        archive.put(calls)
        archive.put(total)
        archive.put(recent)
        archive.put(recentStamp)
        archive.put(top)
    }

    package init(from archive: inout ArchiveReader) throws(ForecastError) {
        decay = try archive.get(Float.self)
        calls = try archive.get(Float.self)
        total = try archive.get([Float].self)
        recent = try archive.get([Float].self)
        recentStamp = try archive.get([Float].self)
        top = try archive.get([UInt32].self)
        let count = total.count
        try archive.require(
            recent.count == count && recentStamp.count == count && top.allSatisfy { Int($0) < count },
            "its popularity lists do not fit together")
    }
}
