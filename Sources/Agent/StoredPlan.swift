import Wire

/// A coordinator's plan as it was taken: what is answered to GetPlan, and what a restart goes on from.
struct StoredPlan: Sendable {
    /// Of plans that name no TTL.
    static let defaultTTL: Int64 = 15 * 60 * 1_000_000_000
    /// Longer ones are cut: no plan speaks of next month.
    static let longestTTL: Int64 = 30 * 24 * 3600 * 1_000_000_000
    /// What one plan may hold.
    static let mostEntries = 100_000
    static let mostBytes = 32 << 20
    private static let mostSandboxes: UInt32 = 4096

    var generation: UInt64
    var coordinator: String
    /// When it was taken.
    var unixMilliseconds: Int64
    /// Nanoseconds from then on.
    var ttl: Int64
    var entries: [HearthPlanEntry]

    /// Nanoseconds since it was taken; a clock set back counts as none.
    func age(at unixMilliseconds: Int64) -> Int64 {
        let (span, overflow) = (unixMilliseconds - self.unixMilliseconds).multipliedReportingOverflow(by: 1_000_000)
        return overflow ? .max : max(0, span)
    }

    /// Why an entry is left out; nil where it is sound.
    static func problem(with entry: HearthPlanEntry, isKnown: (String) -> Bool) -> String? {
        guard isKnown(entry.function) else { return "no function with this name" }
        guard entry.confidence >= 0, entry.confidence <= 1 else {
            return "confidence \(entry.confidence) is not 0 to 1"
        }
        guard entry.windowEndNs == 0 || entry.windowEndNs > entry.windowStartNs else {
            return "its window ends before it begins"
        }
        guard entry.count <= mostSandboxes else { return "count \(entry.count) is above \(mostSandboxes)" }
        guard entry.reservedCpus >= 0, entry.reservedCpus <= 1024 else {
            return "reserved_cpus \(entry.reservedCpus) is not 0 to 1024"
        }
        guard entry.reservedMemoryBytes <= 1 << 42 else { return "reserved_memory_bytes is above 4 TiB" }
        return nil
    }
}
