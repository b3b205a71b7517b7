import Glibc
import Linux
import WarmPool

/// Tells when tasks of the node stall for memory: triggers of the kernel's pressure stall information (Documentation/accounting/psi.rst),
/// waited for by epoll.
///
/// A trigger fires at most once a window while the stalls go on. Pressure is taken to be over only after `calm` without one, a level at a
/// time, so that the pool does not swing.
@LoopActor
final class MemoryPressureMonitor {
    /// Share of a window, in microseconds: the kernel's unit. Root may choose the window; others have multiples of 2 s.
    private nonisolated static let windows: [Int64] = [1_000_000, 2_000_000]
    /// Nanoseconds without a trigger until the level falls.
    private let calm: Int64
    private let onChange: @LoopActor (MemoryPressure) -> Void
    private var triggers: [Trigger] = []
    private(set) var level = MemoryPressure.none
    private var timer: Reactor.Timer?

    private struct Trigger {
        let file: SharedFD
        let source: Reactor.Source
    }

    /// - Parameters:
    ///   - path: the node's file, or that of a group.
    ///   - onChange: told the level when it changes, and again at every trigger while it is critical: what was done was not enough.
    /// - Throws: where the kernel has no pressure stall information, or does not take triggers.
    init(
        path: String, calm: Int64 = 10_000_000_000,
        onChange: @escaping @LoopActor (MemoryPressure) -> Void
    ) throws(Errno) {
        self.calm = calm
        self.onChange = onChange
        // Some tasks stalled for a tenth of the window; and all of them at once for a tenth.
        try watch(path, "some", .moderate)
        try watch(path, "full", .critical)
    }

    private func watch(_ path: String, _ who: String, _ level: MemoryPressure) throws(Errno) {
        let file = try Self.arm(path, who)
        let source = try Reactor.shared.watch(file.rawValue, for: .priority) { [weak self] readiness in
            self?.fired(level, readiness)
        }
        triggers.append(Trigger(file: file, source: source))
    }

    private nonisolated static func arm(_ path: String, _ who: String) throws(Errno) -> SharedFD {
        var failure = Errno.invalidArgument
        for window in windows {
            let file = SharedFD(try Files.open(path, flags: O_RDWR | O_NONBLOCK))
            // With its NUL, which the kernel takes for the end.
            let text = Array("\(who) \(window / 10) \(window)".utf8) + [0]
            do throws(Errno) {
                _ = try systemCall { write(file.rawValue, text, text.count) }
                return file
            } catch {
                failure = error
            }
        }
        throw failure
    }

    /// Whether this machine takes triggers; for `hearth doctor`.
    nonisolated static func probe(_ path: String) -> Errno? {
        do throws(Errno) {
            _ = try arm(path, "some")
            return nil
        } catch {
            return error
        }
    }

    func close() {
        for trigger in triggers { trigger.source.cancel() }
        triggers = []
        timer?.cancel()
    }

    private func fired(_ fired: MemoryPressure, _ readiness: Reactor.Readiness) {
        // The file is gone: nothing will ever fire again.
        if readiness.contains(.error) { return close() }
        let previous = level
        level = max(level, fired)
        armCalm()
        if level != previous || fired == .critical { onChange(level) }
    }

    private func armCalm() {
        timer?.cancel()
        timer = Reactor.shared.schedule(after: calm) { [weak self] in self?.calmed() }
    }

    private func calmed() {
        level = level == .critical ? .moderate : .none
        if level > .none { armCalm() }
        onChange(level)
    }
}
