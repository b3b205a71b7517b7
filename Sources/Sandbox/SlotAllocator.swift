import NurseryABI

/// Hands out slots. A slot is a range of 65,536 host ids, so one sandbox never shares an id with another.
struct SlotAllocator {
    static let capacity = Int(HN_MAX_SANDBOXES.rawValue)
    private var free: [UInt32]

    /// The slot that was given back longest ago is used next: a stale id is as old as it can be.
    private var head = 0

    init(capacity: Int = SlotAllocator.capacity) {
        free = (0..<UInt32(capacity)).map { $0 }
    }

    mutating func take() -> UInt32? {
        guard head < free.count else { return nil }
        defer {
            head += 1
            if head > 4096, head * 2 > free.count {
                free.removeFirst(head)
                head = 0
            }
        }
        return free[head]
    }

    mutating func give(back slot: UInt32) {
        free.append(slot)
    }

    /// Marks a slot as used that was found in use.
    mutating func reserve(_ slot: UInt32) {
        guard let index = free[head...].firstIndex(of: slot) else { return }
        free.remove(at: index)
    }

    /// The first of the slot's ids on the host.
    static func firstID(of slot: UInt32) -> UInt32 {
        0x7000_0000 + slot * UInt32(HN_ID_RANGE.rawValue)
    }
}
