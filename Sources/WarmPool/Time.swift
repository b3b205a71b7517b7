/// A length of time in nanoseconds. Arithmetic saturates, so that no input can trap.
package struct Nanoseconds: Comparable, Hashable, Sendable {
    package var value: Int64

    package init(_ value: Int64) { self.value = value }

    package static let zero = Nanoseconds(0)
    package static let max = Nanoseconds(.max)

    package static func milliseconds(_ count: Int64) -> Nanoseconds { Nanoseconds(1_000_000).scaled(by: count) }
    package static func seconds(_ count: Int64) -> Nanoseconds { Nanoseconds(1_000_000_000).scaled(by: count) }
    package static func minutes(_ count: Int64) -> Nanoseconds { .seconds(60).scaled(by: count) }

    /// From a floating-point count of nanoseconds; what is not a number becomes zero.
    package init(rounding value: Double) {
        guard value == value else {
            self = .zero
            return
        }
        self.init(value >= 9.2e18 ? .max : value <= -9.2e18 ? .min : Int64(value))
    }

    package var inMilliseconds: Double { Double(value) / 1e6 }
    package var inSeconds: Double { Double(value) / 1e9 }

    package static func < (a: Nanoseconds, b: Nanoseconds) -> Bool { a.value < b.value }

    package static func + (a: Nanoseconds, b: Nanoseconds) -> Nanoseconds {
        let (sum, overflow) = a.value.addingReportingOverflow(b.value)
        return Nanoseconds(overflow ? (b.value > 0 ? .max : .min) : sum)
    }

    package static func - (a: Nanoseconds, b: Nanoseconds) -> Nanoseconds {
        let (difference, overflow) = a.value.subtractingReportingOverflow(b.value)
        return Nanoseconds(overflow ? (b.value < 0 ? .max : .min) : difference)
    }

    private func scaled(by factor: Int64) -> Nanoseconds {
        let (product, overflow) = value.multipliedReportingOverflow(by: factor)
        return Nanoseconds(overflow ? (factor > 0 ? .max : .min) : product)
    }
}

/// A point on the caller's monotonic clock, in nanoseconds since an origin of its choice. The pool has no clock of
/// its own: every event brings the time, in the daemon CLOCK_MONOTONIC, in the replay the trace's.
package struct Instant: Comparable, Hashable, Sendable {
    package var nanoseconds: Int64

    package init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

    package static let zero = Instant(nanoseconds: 0)
    /// Never: the deadline of what has none.
    package static let distantFuture = Instant(nanoseconds: .max)

    package static func < (a: Instant, b: Instant) -> Bool { a.nanoseconds < b.nanoseconds }

    package static func + (a: Instant, b: Nanoseconds) -> Instant {
        Instant(nanoseconds: (Nanoseconds(a.nanoseconds) + b).value)
    }

    package static func - (a: Instant, b: Nanoseconds) -> Instant {
        Instant(nanoseconds: (Nanoseconds(a.nanoseconds) - b).value)
    }

    package static func - (a: Instant, b: Instant) -> Nanoseconds {
        Nanoseconds(a.nanoseconds) - Nanoseconds(b.nanoseconds)
    }
}
