import CLinux
import Glibc
import Linux
import Synchronization

/// A pseudo terminal between this one and a sandbox: keys and output are copied by two threads, the size follows.
final class TerminalRelay: Sendable {
    let slave: Int32
    private let master: Int32
    private let saved: Mutex<termios>
    private let isDone = Atomic<Bool>(false)

    init() throws(Errno) {
        let pair = try DescriptorPair.pseudoTerminal().take()
        master = pair.first
        slave = pair.second
        var settings = termios()
        tcgetattr(0, &settings)
        saved = Mutex(settings)
        cfmakeraw(&settings)
        tcsetattr(0, TCSANOW, &settings)
        copySize()
        start()
    }

    private func start() {
        pump(from: 0, to: master)
        pump(from: master, to: 1)
    }

    private func pump(from source: Int32, to target: Int32) {
        let thread = PumpThread { [self] in
            var buffer = [UInt8](repeating: 0, count: 4096)
            while !isDone.load(ordering: .relaxed) {
                var entry = pollfd(fd: source, events: Int16(POLLIN), revents: 0)
                // The interval is also how soon a changed window size is noticed, and the end.
                guard poll(&entry, 1, 200) >= 0 else { return }
                if source == 0 { copySize() }
                guard entry.revents != 0 else { continue }
                let count = read(source, &buffer, buffer.count)
                guard count > 0 else { return }
                guard (try? Message.writeAll(target, Array(buffer[..<count]))) != nil else { return }
            }
        }
        thread.start()
    }

    private func copySize() {
        var rows: UInt16 = 0
        var columns: UInt16 = 0
        if clx_tty_get_size(0, &rows, &columns) == 0 { _ = clx_tty_set_size(master, rows, columns) }
    }

    /// Shows what is left, and gives the person's terminal back as it was.
    func finish() {
        usleep(20_000)
        isDone.store(true, ordering: .relaxed)
        saved.withLock { settings in _ = tcsetattr(0, TCSANOW, &settings) }
    }
}

/// A detached thread that runs one closure.
private final class PumpThread: Sendable {
    private let body: @Sendable () -> Void

    init(_ body: @escaping @Sendable () -> Void) {
        self.body = body
    }

    func start() {
        var thread = pthread_t()
        let context = Unmanaged.passRetained(self).toOpaque()
        pthread_create(
            &thread, nil,
            { context in
                guard let context else { return nil }
                Unmanaged<PumpThread>.fromOpaque(context).takeRetainedValue().body()
                return nil
            }, context)
        pthread_detach(thread)
    }
}
