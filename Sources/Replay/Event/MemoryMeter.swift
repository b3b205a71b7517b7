/// Integrates what sandboxes hold over time.
struct MemoryMeter {
    private var usedMB = 0.0
    private var busyMB = 0.0
    private var last: Int64 = 0
    private(set) var heldMBus = 0.0
    /// The part in which they served nothing.
    private(set) var idleMBus = 0.0
    private(set) var peakMB = 0.0

    /// Accounts up to `time`, microseconds; earlier times are ignored.
    mutating func advance(to time: Int64) {
        guard time > last else { return }
        heldMBus += usedMB * Double(time - last)
        idleMBus += (usedMB - busyMB) * Double(time - last)
        last = time
    }

    mutating func take(_ megabytes: Double) {
        usedMB += megabytes
        peakMB = max(peakMB, usedMB)
    }

    mutating func release(_ megabytes: Double) { usedMB -= megabytes }
    mutating func setBusy(_ megabytes: Double) { busyMB += megabytes }
    mutating func setIdle(_ megabytes: Double) { busyMB -= megabytes }
}
