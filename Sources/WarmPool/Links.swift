/// Doubly linked lists threaded through slots; a slot is in at most one list of a `Links`.
struct Links: Sendable {
    private var previous: [Int] = []
    private var following: [Int] = []

    struct List: Sendable {
        fileprivate(set) var first = -1
        fileprivate(set) var last = -1
        fileprivate(set) var count = 0
        var isEmpty: Bool { count == 0 }
    }

    /// The slot after `slot`, or -1.
    func next(_ slot: Int) -> Int { following[slot] }

    private mutating func reserve(_ slot: Int) {
        guard slot >= following.count else { return }
        let more = max(slot + 1 - following.count, following.count)
        previous.append(contentsOf: repeatElement(-1, count: more))
        following.append(contentsOf: repeatElement(-1, count: more))
    }

    mutating func append(_ slot: Int, to list: inout List) {
        reserve(slot)
        previous[slot] = list.last
        following[slot] = -1
        if list.last >= 0 { following[list.last] = slot } else { list.first = slot }
        list.last = slot
        list.count += 1
    }

    mutating func prepend(_ slot: Int, to list: inout List) {
        reserve(slot)
        previous[slot] = -1
        following[slot] = list.first
        if list.first >= 0 { previous[list.first] = slot } else { list.last = slot }
        list.first = slot
        list.count += 1
    }

    mutating func remove(_ slot: Int, from list: inout List) {
        let before = previous[slot]
        let after = following[slot]
        if before >= 0 { following[before] = after } else { list.first = after }
        if after >= 0 { previous[after] = before } else { list.last = before }
        previous[slot] = -1
        following[slot] = -1
        list.count -= 1
    }
}
