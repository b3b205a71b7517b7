/// A binary min-heap over small integer slots, each at most once: insert, change and remove by slot in O(log n).
struct IndexedHeap<Key: Comparable & Sendable>: Sendable {
    private var heap: [(key: Key, slot: Int)] = []
    /// Slot -> place in `heap`, or -1.
    private var place: [Int] = []

    var count: Int { heap.count }
    var isEmpty: Bool { heap.isEmpty }
    var first: Int? { heap.first?.slot }
    var firstKey: Key? { heap.first?.key }

    func contains(_ slot: Int) -> Bool { slot < place.count && place[slot] >= 0 }

    func key(of slot: Int) -> Key? {
        contains(slot) ? heap[place[slot]].key : nil
    }

    /// The least and some of the next, in the heap's order; exact only in its first element.
    func prefix(_ count: Int) -> [Int] { heap.prefix(count).map(\.slot) }

    mutating func set(_ slot: Int, _ key: Key) {
        if slot >= place.count {
            place.append(contentsOf: repeatElement(-1, count: max(slot + 1 - place.count, place.count)))
        }
        let at = place[slot]
        if at < 0 {
            heap.append((key, slot))
            place[slot] = heap.count - 1
            rise(heap.count - 1)
        } else if key < heap[at].key {
            heap[at].key = key
            rise(at)
        } else if heap[at].key < key {
            heap[at].key = key
            sink(at)
        }
    }

    mutating func remove(_ slot: Int) {
        guard contains(slot) else { return }
        let at = place[slot]
        place[slot] = -1
        let last = heap.removeLast()
        guard at < heap.count else { return }
        heap[at] = last
        place[last.slot] = at
        rise(at)
        sink(place[last.slot])
    }

    private mutating func rise(_ start: Int) {
        var at = start
        let moved = heap[at]
        while at > 0 {
            let up = (at - 1) / 2
            guard moved.key < heap[up].key else { break }
            heap[at] = heap[up]
            place[heap[at].slot] = at
            at = up
        }
        heap[at] = moved
        place[moved.slot] = at
    }

    private mutating func sink(_ start: Int) {
        var at = start
        let moved = heap[at]
        while true {
            var down = 2 * at + 1
            guard down < heap.count else { break }
            if down + 1 < heap.count, heap[down + 1].key < heap[down].key { down += 1 }
            guard heap[down].key < moved.key else { break }
            heap[at] = heap[down]
            place[heap[at].slot] = at
            at = down
        }
        heap[at] = moved
        place[moved.slot] = at
    }
}
