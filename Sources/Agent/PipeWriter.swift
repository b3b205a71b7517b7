import Glibc
import Linux

/// Writes to a program's stdin as fast as it reads. What waits is bounded by the stream's credit: bytes are given back to the
/// client only when the program has taken them.
@LoopActor
final class PipeWriter {
    private var fd: OwnedFD?
    private var source: Reactor.Source?
    private var waiting: [UInt8] = []
    private var isFinished = false
    private let taken: @LoopActor (Int) -> Void

    init(_ fd: consuming OwnedFD, taken: @escaping @LoopActor (Int) -> Void) throws(Errno) {
        try fd.setNonblocking(true)
        let raw = fd.rawValue
        self.fd = consume fd
        self.taken = taken
        source = try Reactor.shared.watch(raw, for: []) { [weak self] readiness in
            // EPOLLERR on the writing end: no reader is left, and it would be reported for ever.
            if readiness.contains(.error) { self?.abandon() } else { self?.flush() }
        }
    }

    func write(_ bytes: [UInt8]) {
        guard source != nil else { return taken(bytes.count) }
        waiting += bytes
        flush()
    }

    /// The end of stdin, after what waits.
    func finish() {
        isFinished = true
        flush()
    }

    func close() {
        source?.cancel()
        source = nil
        fd = nil
    }

    /// The program reads no more; the rest is taken and forgotten, as a shell's pipe would.
    private func abandon() {
        let rest = waiting.count
        waiting = []
        close()
        if rest > 0 { taken(rest) }
    }

    private func flush() {
        guard source != nil, let raw = fd?.rawValue else { return }
        while !waiting.isEmpty {
            do throws(Errno) {
                let count = try systemCall { waiting.withUnsafeBytes { Glibc.write(raw, $0.baseAddress, $0.count) } }
                waiting.removeFirst(count)
                taken(count)
            } catch .wouldBlock {
                source?.setInterest(.writable)
                return
            } catch {
                return abandon()
            }
        }
        source?.setInterest([])
        if isFinished { close() }
    }
}
