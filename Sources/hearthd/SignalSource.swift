import CLinux
import Glibc
import Linux

/// SIGTERM, SIGINT and SIGUSR2 as a readable descriptor on the loop (signalfd(2)).
enum SignalSource {
    private static let signals: [Int32] = [SIGTERM, SIGINT, SIGHUP, SIGUSR2]

    static func block() {
        clx_ignore_sigpipe()
        _ = clx_block_signals(signals, Int32(signals.count))
    }

    @LoopActor
    static func watch(stop: @escaping @LoopActor () -> Void, handOver: @escaping @LoopActor () -> Void) {
        let raw = clx_signalfd(signals, Int32(signals.count))
        guard raw >= 0 else { return }
        // As long as the process: the descriptor is never closed and the source never cancelled.
        _ = try? Reactor.shared.watch(raw) { _ in
            let signal = clx_signalfd_read(raw)
            // A closed terminal is no reason to end a daemon.
            if signal == SIGTERM || signal == SIGINT { stop() }
            if signal == SIGUSR2 { handOver() }
        }
    }
}

enum Environment {
    static func value(_ name: String) -> String? {
        guard let text = getenv(name) else { return nil }
        let value = String(cString: text)
        return value.isEmpty ? nil : value
    }
}
