/// Stops starts of a function whose starts fail, for a time that doubles with every further failure; then lets a
/// single probe through (half open).
package struct CircuitBreaker: Sendable {
    package struct Settings: Sendable {
        /// Failures in a row that open it.
        package var failures = 3
        package var firstBackoff = Nanoseconds.seconds(1)
        package var maxBackoff = Nanoseconds.minutes(5)

        package init() {}

        func validate() throws(ConfigurationError) {
            guard failures >= 1 else {
                throw ConfigurationError(setting: "breaker.failures", problem: "must be 1 or more")
            }
            guard firstBackoff > .zero, maxBackoff >= firstBackoff else {
                throw ConfigurationError(
                    setting: "breaker.maxBackoff", problem: "must not be below firstBackoff, nor that below 1 ns")
            }
        }
    }

    package enum State: Equatable, Sendable {
        case closed
        case open(until: Instant)
        /// The time is over: one probe may go, none has succeeded yet.
        case halfOpen
    }

    /// Failures in a row.
    private(set) package var failures = 0
    private var openUntil: Instant?
    /// The failures in a row that the last success ended.
    private var forgiven = 0

    package func state(at now: Instant) -> State {
        guard let openUntil else { return .closed }
        return now < openUntil ? .open(until: openUntil) : .halfOpen
    }

    /// True if it was not closed before.
    mutating func succeeded() -> Bool {
        forgiven = failures
        failures = 0
        defer { openUntil = nil }
        return openUntil != nil
    }

    /// The last success was none: it failed after it had been told. The row goes on as if it had failed at once.
    mutating func failedAfterAll(at now: Instant, _ settings: Settings) -> Instant? {
        failures = max(failures, forgiven)
        return failed(at: now, settings)
    }

    /// The instant until which it is open now, or nil if it is still closed.
    mutating func failed(at now: Instant, _ settings: Settings) -> Instant? {
        failures += 1
        guard failures >= settings.failures else { return nil }
        var backoff = settings.firstBackoff
        for _ in settings.failures..<min(failures, settings.failures + 62) where backoff < settings.maxBackoff {
            backoff = min(backoff + backoff, settings.maxBackoff)
        }
        openUntil = now + backoff
        return openUntil
    }
}
