import Glibc

/// Which functions the same users call: item-item neighbours by cosine of implicit feedback (Sarwar et al., WWW 2001;
/// Deshpande and Karypis, ACM TOIS 22(1), 2004). An update costs as many counts as the user has recent functions.
package struct ItemNeighbors: Sendable {
    private var together: SuccessorTable
    /// Users of each function.
    private var users: [Float] = []

    package init(capacity: Int = 400_000, widest: Int = 256) {
        together = SuccessorTable(capacity: capacity, widest: widest)
    }

    /// A user with these functions called `function` for the first time.
    package mutating func update(_ function: UInt32, known: some Sequence<UInt32>) {
        if Int(function) >= users.count {
            users.append(contentsOf: repeatElement(0, count: Int(function) + 64 - users.count))
        }
        users[Int(function)] += 1
        for other in known where other != function {
            together.add(UInt64(other), function)
            together.add(UInt64(function), other)
        }
    }

    /// Adds the similarity of every neighbour of `function`, times `weight`; at most `widest` neighbours, the latest.
    package func predict(_ function: UInt32, weight: Float, into scores: inout ScoreBoard, widest: Int = 64) {
        guard Int(function) < users.count else { return }
        let own = users[Int(function)]
        var taken = 0
        together.forEach(UInt64(function)) { other, count in
            taken += 1
            // Ten users that nobody has seen damp what rests on one or two.
            scores.add(other, weight * Float(count) / sqrtf((own + 10) * (users[Int(other)] + 10)))
            return taken < widest
        }
    }

    package var memoryBytes: Int { together.memoryBytes + 4 * users.count }
    package mutating func forget(toFit bytes: Int) { together.forget(toFit: max(0, bytes - 4 * users.count)) }

    package func save(to archive: inout ArchiveWriter) {
        archive.put(users)
        together.save(to: &archive)
    }

    package init(from archive: inout ArchiveReader) throws(ForecastError) {
        users = try archive.get([Float].self)
        together = try SuccessorTable(from: &archive)
        let known = users.count
        try archive.require(together.entries.allSatisfy { Int($0.symbol) < known }, "a neighbour nobody used")
    }
}
