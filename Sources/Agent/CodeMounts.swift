import Linux
import Sandbox

/// Functions' code as mounts, each good for one sandbox; one is kept ready for each code of late. Asking the nursery takes a
/// claim 80 us, a sixth of it, and what has been called is what is called next.
@LoopActor
final class CodeMounts {
    typealias Source =
        @LoopActor (_ digest: String, _ completion: @escaping @LoopActor (Result<SharedFD, SandboxError>) -> Void) ->
        Void

    /// Codes of late that are remembered; a mount that waits is a descriptor here and about 1 KiB in the kernel.
    static let capacity = 64
    /// How long after a mount was taken the next is made: nothing of it may weigh on the start it was taken for.
    private static let quiet: Int64 = 3_000_000

    private struct Recent {
        var spare: SharedFD?
        var isAsked = false
        var lastTaken: UInt64
    }

    private let source: Source
    private var recent: [String: Recent] = [:]
    private var turn: UInt64 = 0
    /// Grows when code is removed: a mount that was asked for before may show a tree that is going.
    private var epoch: UInt64 = 0

    init(source: @escaping Source) {
        self.source = source
    }

    /// Spare mounts that wait.
    var count: Int { recent.values.count { $0.spare != nil } }

    /// A mount of a code directory: the spare one at once, or a new one when the nursery has made it.
    func take(_ digest: String, completion: @escaping @LoopActor (Result<SharedFD, SandboxError>) -> Void) {
        turn += 1
        let spare = recent[digest]?.spare
        recent[digest, default: Recent(lastTaken: turn)].lastTaken = turn
        recent[digest]?.spare = nil
        forgetOldest()
        Reactor.shared.schedule(after: Self.quiet) { [weak self] in self?.refill(digest) }
        if let spare { completion(.success(spare)) } else { source(digest, completion) }
    }

    /// Lets go of all mounts but those of code that is still somebody's. To be called before code is removed: the same code put
    /// again is another directory then, and a mount of the former one is empty.
    func keepOnly(_ digests: Set<String>) {
        epoch += 1
        recent = recent.filter { digests.contains($0.key) }
    }

    private func refill(_ digest: String) {
        guard let entry = recent[digest], entry.spare == nil, !entry.isAsked else { return }
        recent[digest]?.isAsked = true
        let asked = epoch
        source(digest) { [weak self] result in
            guard let self, self.recent[digest] != nil else { return }
            self.recent[digest]?.isAsked = false
            // Without a mount the next start asks itself, and says what is wrong.
            guard case .success(let mount) = result, asked == self.epoch else { return }
            self.recent[digest]?.spare = mount
        }
    }

    private func forgetOldest() {
        guard recent.count > Self.capacity, let oldest = recent.min(by: { $0.value.lastTaken < $1.value.lastTaken })
        else { return }
        recent[oldest.key] = nil
    }
}
