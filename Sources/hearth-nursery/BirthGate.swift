import CNursery
import NurseryABI

/// Two words in memory shared with the child being born. The parent opens the gate when the id maps are written; the child
/// says when it has its own descriptor table. Numbers only grow, so a late child never mistakes its successor's gate.
struct BirthGate: ~Copyable {
    private let words: UnsafeMutablePointer<UInt32>

    private init(words: UnsafeMutablePointer<UInt32>) {
        self.words = words
    }

    static func allocate() throws(Failure) -> BirthGate {
        let address = cn_mmap(4096, 1)
        guard let memory = UnsafeMutableRawPointer(bitPattern: address), address > 0 else {
            throw Failure(CN_ENOMEM, HN_STAGE_MEMORY)
        }
        return BirthGate(words: memory.bindMemory(to: UInt32.self, capacity: 2))
    }

    func open(_ generation: UInt32) { set(0, generation) }
    func separated(_ generation: UInt32) { set(1, generation) }

    /// For the child. It looks for some microseconds before it sleeps: the maps are nearly written by then, and waking up
    /// costs more than they do. False when the parent (a pidfd) has died, also before PDEATHSIG was armed, or when nobody
    /// opened within ten seconds.
    func waitOpen(_ generation: UInt32, parent: Int32) -> Bool {
        for _ in 0..<4000 where Int32(bitPattern: cn_load_acquire(words) &- generation) >= 0 { return true }
        for _ in 0..<1000 {
            if hasReached(0, generation, waiting: 10) { return true }
            if Self.hasEnded(parent) { return false }
        }
        return false
    }

    /// For the parent. Looks at the child in between: one that is killed at birth must not hold up everybody.
    func waitSeparated(_ generation: UInt32, child: Int32) -> Bool {
        for _ in 0..<5000 {
            if hasReached(1, generation, waiting: 2) { return true }
            if Self.hasEnded(child) { return false }
        }
        return false
    }

    private static func hasEnded(_ pidfd: Int32) -> Bool {
        var entry = cn_pollfd(fd: pidfd, events: Int16(CN_EPOLLIN), revents: 0)
        return cn_poll(&entry, 1, 0) != 0
    }

    /// PID 1 has no more use for it.
    func unmap() { _ = cn_munmap(words, 4096) }

    private func set(_ word: Int, _ generation: UInt32) {
        cn_store_release(words + word, generation)
        _ = cn_futex_wake(words + word)
    }

    /// Whether the word has come to the generation, after waiting once if need be.
    private func hasReached(_ word: Int, _ generation: UInt32, waiting milliseconds: Int32) -> Bool {
        let value = cn_load_acquire(words + word)
        // Modular comparison: the counter may wrap after four thousand million births.
        if Int32(bitPattern: value &- generation) >= 0 { return true }
        _ = cn_futex_wait(words + word, value, milliseconds)
        return Int32(bitPattern: cn_load_acquire(words + word) &- generation) >= 0
    }
}
