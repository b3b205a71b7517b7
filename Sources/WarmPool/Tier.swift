/// How much of a start a sandbox has already paid.
package enum Tier: UInt8, Comparable, Sendable, CaseIterable {
    /// Nothing exists.
    case none
    /// Namespaces, cgroup, network, mounts and PID 1; belongs to an image, to no function.
    case bare
    /// The language runtime runs, its preloads are imported; belongs to an image and a runtime class.
    case runtime
    /// User code is loaded and its warm-up has run; belongs to one function.
    case ready

    package static func < (a: Tier, b: Tier) -> Bool { a.rawValue < b.rawValue }
}

/// What a request found when it arrived, and so what it had to wait for.
package enum StartKind: UInt8, Sendable, CaseIterable {
    /// Nothing: its sandbox was begun after it arrived, or was still below the bare tier then.
    case cold
    /// A sandbox of the bare tier.
    case bare
    /// A sandbox of the runtime tier.
    case runtime
    /// A ready sandbox that nobody had used before.
    case prefetched
    /// A ready sandbox, used before.
    case warm
}

/// The CPU weight at which a start runs.
package enum StartWeight: UInt8, Sendable {
    /// A request waits for it.
    case live
    /// Nobody waits for it: idle CPU weight.
    case background
}
