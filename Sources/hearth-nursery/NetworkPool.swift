import CNursery
import NurseryABI

/// Network namespaces made ahead. Making one costs about 0.5 ms with a long tail, more than all the rest of a sandbox,
/// so it is done while nobody waits. Each is used once: what a tenant left in it (sockets closing, abstract names,
/// counters) can never reach the next.
///
/// They belong to the initial user namespace. A sandbox therefore has no capability over its network, not even as its
/// own root: `lo` is up, and nothing can be added.
struct NetworkPool {
    static let capacity = 64
    private var ready = InlineArray<64, Int32>(repeating: -1)
    private(set) var count = 0
    private let target: Int
    /// After a failure, not before this time: what made it fail lasts (max_net_namespaces), and trying without end would take a
    /// whole processor.
    private var retryAt: Int64 = 0
    private static var pause: Int64 { 1_000_000_000 }

    init(target: Int) {
        self.target = min(max(target, 0), Self.capacity)
    }

    var wantsMore: Bool { count < target && cn_now() >= retryAt }
    /// Some are lacking, but the last attempt failed a moment ago.
    var isPausing: Bool { count < target && !wantsMore }

    /// Makes one more for later.
    mutating func refill() throws(Failure) {
        guard count < Self.capacity else { return }
        retryAt = cn_now() + Self.pause
        try Self.make()
        let fd = FD(
            try check(cn_openat(CN_AT_FDCWD, path("/proc/thread-self/ns/net"), 0, 0), HN_STAGE_NETWORK))
        ready[count] = try fd.raised().release()
        count += 1
        retryAt = 0
    }

    /// Puts the nursery into a fresh network namespace, which the next clone inherits.
    mutating func enter() throws(Failure) {
        guard count > 0 else { return try Self.make() }
        count -= 1
        let fd = FD(ready[count])
        try check(cn_setns(fd.raw, CN_CLONE_NEWNET), HN_STAGE_NETWORK)
    }

    private static func make() throws(Failure) {
        try check(cn_unshare(CN_CLONE_NEWNET), HN_STAGE_NETWORK)
        try check(cn_loopback_up(), HN_STAGE_NETWORK)
    }
}
