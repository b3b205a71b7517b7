/// Something that creates sandboxes and can be measured at it.
///
/// A figure is the time from the request to the first act of the user's program, which reads CLOCK_MONOTONIC itself and
/// hands the value back. The clock is one for all namespaces, as long as no time namespace shifts it.
package protocol CreateSubject: AnyObject {
    /// The row's name in the report: `hearth`, `floor`, `bwrap`, ...
    var name: String { get }

    /// Sets up what all creations share. Not measured.
    nonisolated(nonsending) func prepare() async throws(BenchError)

    /// Creates one sandbox, waits for its program to begin, and returns the nanoseconds. The sandbox is gone when it
    /// returns: nothing of it may weigh on the next subject's turn.
    nonisolated(nonsending) func create() async throws(BenchError) -> Int64

    /// Removes what `prepare` and the creations left. Called once, after a failure too.
    nonisolated(nonsending) func teardown() async
}
