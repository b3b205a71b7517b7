import Foundation
import Synchronization

/// Runs `body` on `count` threads at once; their results in order. Each has a client of its own: clients block.
package func concurrently<Result: Sendable>(
    _ count: Int, _ body: @escaping @Sendable (Int) throws -> Result
) throws -> [Result] {
    let tasks = (0..<count).map { index in Background { try body(index) } }
    return try tasks.map { try $0.join() }
}

/// Something that goes on in a thread of its own until it is joined.
package final class Background<Result: Sendable>: Sendable {
    private let result = Mutex<Swift.Result<Result, any Error>?>(nil)
    private let done = DispatchSemaphore(value: 0)

    package init(_ body: @escaping @Sendable () throws -> Result) {
        let thread = Thread { [self] in
            let value = Swift.Result { try body() }
            result.withLock { $0 = value }
            done.signal()
        }
        thread.start()
    }

    /// Waits for its end; once.
    package func join(within seconds: Double = 120) throws -> Result {
        guard done.wait(timeout: .now() + seconds) == .success else {
            throw TestFailure("a thread of the test had not ended after \(seconds) s")
        }
        return try result.withLock { value in
            guard let value else { throw TestFailure("a thread ended without a result") }
            return try value.get()
        }
    }
}
