import Linux

/// Reads a pipe that a function writes to. A flood only slows its author down: after each 256 KiB the reader rests.
@LoopActor
final class PipeReader {
    private static let turnLimit = 64 << 10
    private static let burst = 256 << 10
    private static let rest: Int64 = 2_000_000

    private let fd: SharedFD
    /// The number of its descriptor, for whoever keeps a copy.
    var descriptor: Int32 { fd.rawValue }
    private var source: Reactor.Source?
    private var sinceRest = 0
    private var handler: (@LoopActor (ArraySlice<UInt8>) -> Void)?
    private(set) var isAtEnd = false
    /// Called once when every writer has closed.
    var onEnd: (@LoopActor () -> Void)?

    /// Takes over a reading end that does not block.
    init(_ fd: SharedFD, handler: @escaping @LoopActor (ArraySlice<UInt8>) -> Void) throws(Errno) {
        self.fd = fd
        self.handler = handler
        source = try Reactor.shared.watch(fd.rawValue) { [weak self] _ in self?.turn() }
    }

    /// Takes what is there at the moment, up to `limit`: what was written before a result belongs to it.
    func drain(limit: Int = 1 << 20) {
        var left = limit
        while left > 0, let count = readOnce(), count > 0 { left -= count }
    }

    /// Stops reading until `resume`: the writer then waits.
    func pause() { source?.setInterest([]) }
    func resume() { source?.setInterest(.readable) }

    func close() {
        handler = nil
        onEnd = nil
        source?.cancel()
        source = nil
    }

    private func turn() {
        guard let count = readOnce() else { return }
        sinceRest += count
        guard sinceRest >= Self.burst else { return }
        sinceRest = 0
        pause()
        Reactor.shared.schedule(after: Self.rest) { [weak self] in self?.resume() }
    }

    /// The bytes read; nil when there was nothing, 0 at the end.
    private func readOnce() -> Int? {
        guard let handler, !isAtEnd else { return nil }
        var bytes: [UInt8] = []
        do throws(Errno) {
            let count = try ByteIO.read(fd.rawValue, appendingTo: &bytes, Self.turnLimit)
            if count > 0 {
                handler(bytes[...])
                return count
            }
        } catch .wouldBlock {
            return nil
        } catch {
            // A pipe has no other errors; whatever it is, nothing more will come.
        }
        isAtEnd = true
        source?.cancel()
        source = nil
        let last = onEnd
        onEnd = nil
        last?()
        return 0
    }
}
