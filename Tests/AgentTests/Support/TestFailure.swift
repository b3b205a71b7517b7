import Glibc

/// What a test could not set up, or did not get in time.
package struct TestFailure: Error, CustomStringConvertible {
    package let description: String

    package init(_ description: String) {
        self.description = description
    }
}

/// Nanoseconds of the monotonic clock.
package func now() -> Int64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
}

/// Polls for something that happens soon; fails with its name, and what was seen last.
package func eventually(
    _ what: @autoclosure () -> String, within seconds: Double = patience, _ condition: () throws -> Bool
) throws {
    let end = now() + Int64(seconds * 1e9)
    while try !condition() {
        guard now() < end else { throw TestFailure("not within \(seconds) s: \(what())") }
        usleep(2000)
    }
}

/// A claim about time on a machine that others use too: what is fast must be fast in one of a few attempts, and whatever
/// else `attempt` checks must hold in each.
/// - Parameter attempt: how long it took, in milliseconds.
package func inTime(
    _ what: String, below limit: Double, attempts: Int = 5, _ attempt: () throws -> Double
) throws {
    var seen: [Double] = []
    for _ in 0..<attempts {
        let took = try attempt()
        if took < limit { return }
        seen.append(took)
    }
    throw TestFailure("\(what): not below \(limit) ms in any of \(attempts) attempts: \(seen)")
}
