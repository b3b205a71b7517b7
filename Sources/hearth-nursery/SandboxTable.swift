import CNursery
import NurseryABI

/// What the nursery knows of a sandbox: enough to kill it, to report its end, and to hand it back to a hearthd that
/// comes again.
struct Slot {
    var sandbox: UInt64 = 0
    var pid: Int32 = 0
    var pidfd: Int32 = -1
    /// hearthd's end of the socket to PID 1, kept so that the socket outlives a hearthd.
    var agentEnd: Int32 = -1
    var kept = InlineArray<4, Int32>(repeating: -1)
    var image: UInt32 = 0
    var tag = InlineArray<64, UInt8>(repeating: 0)

    var isUsed: Bool { pid != 0 }

    /// Closes what is kept and makes the slot free.
    mutating func clear() {
        if pidfd >= 0 { _ = cn_close(pidfd) }
        if agentEnd >= 0 { _ = cn_close(agentEnd) }
        for index in kept.indices where kept[index] >= 0 { _ = cn_close(kept[index]) }
        self = Slot()
    }
}

/// All slots, in memory that only becomes resident where it is used.
struct SandboxTable: ~Copyable {
    private let slots: UnsafeMutablePointer<Slot>
    private(set) var count: UInt32 = 0
    private init(slots: UnsafeMutablePointer<Slot>) {
        self.slots = slots
    }

    static var capacity: Int { Int(HN_MAX_SANDBOXES.rawValue) }

    static func allocate() throws(Failure) -> SandboxTable {
        let bytes = capacity * MemoryLayout<Slot>.stride
        let address = cn_mmap(bytes, 0)
        guard address > 0, let memory = UnsafeMutableRawPointer(bitPattern: address) else {
            throw Failure(CN_ENOMEM, HN_STAGE_MEMORY)
        }
        // No sandbox's PID 1 has any use for what is known of the others, nor pays for it.
        try check(cn_keep_from_children(memory, bytes), HN_STAGE_MEMORY)
        // Anonymous memory is zero, and a zero pid is what marks a slot as free: nothing is written before it is used.
        return SandboxTable(slots: memory.bindMemory(to: Slot.self, capacity: capacity))
    }

    func isFree(_ index: UInt32) -> Bool {
        Int(index) < Self.capacity && !slots[Int(index)].isUsed
    }

    /// The slot of a sandbox that is alive: both the number and the slot must fit.
    func find(_ index: UInt32, sandbox: UInt64) -> UnsafeMutablePointer<Slot>? {
        guard Int(index) < Self.capacity, slots[Int(index)].isUsed, slots[Int(index)].sandbox == sandbox else {
            return nil
        }
        return slots + Int(index)
    }

    func used(_ index: Int) -> UnsafeMutablePointer<Slot>? {
        index < Self.capacity && slots[index].isUsed ? slots + index : nil
    }

    mutating func insert(_ slot: Slot, at index: UInt32) {
        slots[Int(index)] = slot
        count += 1
    }

    mutating func remove(_ index: Int) {
        slots[index].clear()
        count -= 1
        giveBack(around: index)
    }

    /// Lets the pages that a slot lies in go where nothing in them is used any more: they come back as zeroes, which are free slots.
    private func giveBack(around index: Int) {
        let size = MemoryLayout<Slot>.stride
        for page in index * size / Self.page...(index * size + size - 1) / Self.page where !isInUse(page) {
            _ = cn_discard(UnsafeMutableRawPointer(slots) + page * Self.page, Self.page)
        }
    }

    private func isInUse(_ page: Int) -> Bool {
        let size = MemoryLayout<Slot>.stride
        let last = min(((page + 1) * Self.page - 1) / size, Self.capacity - 1)
        for slot in page * Self.page / size...last where slots[slot].isUsed { return true }
        return false
    }

    private static var page: Int { 4096 }
}
