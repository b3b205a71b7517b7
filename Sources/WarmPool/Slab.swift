/// Values at small integer slots that stay put; freed slots are used again, the last freed first.
struct Slab<Element: Sendable>: Sendable {
    private var items: [Element] = []
    private var free: [Int] = []

    var count: Int { items.count - free.count }
    /// Slots are below this.
    var end: Int { items.count }

    mutating func insert(_ element: Element) -> Int {
        if let slot = free.popLast() {
            items[slot] = element
            return slot
        }
        items.append(element)
        return items.count - 1
    }

    /// The value stays readable until the slot is used again.
    mutating func remove(_ slot: Int) { free.append(slot) }

    subscript(_ slot: Int) -> Element {
        _read { yield items[slot] }
        _modify { yield &items[slot] }
    }
}
