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
    _ what: @autoclosure () -> String, within seconds: Double = 10, _ condition: () throws -> Bool
) throws {
    let end = now() + Int64(seconds * 1e9)
    while try !condition() {
        guard now() < end else { throw TestFailure("not within \(seconds) s: \(what())") }
        usleep(2000)
    }
}
