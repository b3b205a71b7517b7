/// A factor model of implicit feedback trained by Bayesian personalized ranking (Rendle et al., UAI 2009), online: each
/// call is one positive pair against `negatives` sampled functions. Users are vectors of their own, items two of them
/// (as the next, and as the one before: the factorized Markov chain of Rendle et al., WWW 2010).
package struct FactorModel: Sendable {
    package typealias Vector = SIMD16<Float>

    /// User vectors, by a hash of the user: bounded, and rare collisions cost less than a table of all.
    private var users: [Vector]
    private var items: [Vector] = []
    private var before: [Vector] = []
    private var bias: [Float] = []
    private var random: SeededGenerator
    package var rate: Float = 0.05
    package var decay: Float = 0.002
    package var negatives = 4

    package init(userSlots: Int = 1 << 16, seed: UInt64 = 5) {
        users = [Vector](repeating: .zero, count: userSlots)
        random = SeededGenerator(seed: seed)
    }

    private func slot(_ user: UInt32) -> Int {
        Int(truncatingIfNeeded: SeededGenerator.mix(UInt64(user))) & (users.count - 1)
    }

    package mutating func grow(to function: UInt32) {
        while items.count <= Int(function) {
            var item = Vector.zero
            var previous = Vector.zero
            for lane in 0..<16 {
                item[lane] = 0.1 * random.normal()
                previous[lane] = 0.1 * random.normal()
            }
            items.append(item)
            before.append(previous)
            bias.append(0)
        }
    }

    /// What this user likes after `last`, to score many functions by.
    package func taste(_ user: UInt32, _ last: UInt32?) -> Vector {
        var vector = user == Signal.nobody ? .zero : users[slot(user)]
        if let last, Int(last) < before.count { vector += before[Int(last)] }
        return vector
    }

    package mutating func update(_ function: UInt32, user: UInt32, last: UInt32?) {
        grow(to: function)
        guard items.count > 1 else { return }
        let row = user == Signal.nobody ? nil : slot(user)
        for _ in 0..<negatives {
            let other = random.below(items.count)
            guard other != Int(function) else { continue }
            var vector = row.map { users[$0] } ?? .zero
            if let last, Int(last) < before.count { vector += before[Int(last)] }
            let difference = items[Int(function)] - items[other]
            let margin = bias[Int(function)] - bias[other] + (vector * difference).sum()
            let step = rate * LogOdds.probability(-margin)
            items[Int(function)] += step * vector - rate * decay * items[Int(function)]
            items[other] -= step * vector + rate * decay * items[other]
            bias[Int(function)] += step - rate * decay * bias[Int(function)]
            bias[other] -= step + rate * decay * bias[other]
            if let row { users[row] += step * difference - rate * decay * users[row] }
            if let last, Int(last) < before.count {
                before[Int(last)] += step * difference - rate * decay * before[Int(last)]
            }
        }
    }

    /// The score of a function for this user after `last`: log-odds against a function drawn at random.
    package func score(_ function: UInt32, user: UInt32, last: UInt32?) -> Float {
        score(function, taste: taste(user, last))
    }

    @inline(__always)
    package func score(_ function: UInt32, taste: Vector) -> Float {
        guard Int(function) < items.count else { return 0 }
        return bias[Int(function)] + (taste * items[Int(function)]).sum()
    }

    mutating func shrinkUsers(toFit bytes: Int) {
        var slots = users.count
        while slots > 64 && memoryBytes - 64 * (users.count - slots) > bytes { slots /= 2 }
        if slots < users.count { users = Array(users.prefix(slots)) }
    }

    /// Bytes of the user vectors.
    var userBytes: Int { 64 * users.count }

    package var memoryBytes: Int { 64 * (users.count + items.count + before.count) }

    package func save(to archive: inout ArchiveWriter) {
        archive.put(random.state)
        archive.put(UInt32(users.count))
        archive.put(UInt32(items.count))
        archive.putSparse(users)
        archive.putSparse(items)
        archive.putSparse(before)
        archive.put(bias)
    }

    package init(from archive: inout ArchiveReader) throws(ForecastError) {
        random = SeededGenerator(seed: try archive.get(UInt64.self))
        let slots = Int(try archive.get(UInt32.self))
        try archive.require(slots > 0 && slots & (slots - 1) == 0 && slots <= 1 << 20, "\(slots) user vectors")
        let count = try archive.count(size: 4)
        users = [Vector](repeating: .zero, count: slots)
        items = [Vector](repeating: .zero, count: count)
        before = items
        try archive.getSparse(into: &users)
        try archive.getSparse(into: &items)
        try archive.getSparse(into: &before)
        bias = try archive.get([Float].self)
        try archive.require(bias.count == count, "\(bias.count) biases for \(count) functions")
    }
}
