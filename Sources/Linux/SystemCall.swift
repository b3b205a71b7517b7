import CLinux
import Glibc

/// The one place where a C result becomes a Swift error: -1 throws `errno`; `EINTR` is retried.
///
/// Never wrap close(2) in it: Linux frees the descriptor even when close says `EINTR`.
@inline(__always)
package func systemCall<Result: FixedWidthInteger>(_ body: () -> Result) throws(Errno) -> Result {
    while true {
        let result = body()
        if result != -1 { return result }
        let error = Errno.current
        if error != .interrupted { throw error }
    }
}

/// The monotonic clock (CLOCK_MONOTONIC), in nanoseconds: the same in every sandbox, since none has a time namespace
/// with an offset.
@inline(__always)
package func monotonicNow() -> Int64 {
    clx_monotonic_ns()
}

/// The monotonic clock in so many nanoseconds from now; for ever where that is more than it can count. A peer may ask for 2^63 - 1.
package func monotonicNow(plus nanoseconds: Int64) -> Int64 {
    let (time, overflow) = monotonicNow().addingReportingOverflow(nanoseconds)
    return overflow ? .max : time
}

/// The wall clock (CLOCK_REALTIME), in nanoseconds since 1970: for stamps that a person reads, never for intervals.
package func realtimeNow() -> Int64 {
    clx_realtime_ns()
}
