/// What followed each context, counted: context -> (symbol, count) lists in two flat arrays of blocks, bounded.
///
/// A context is a 64-bit hash of whatever it consists of. Lists are linked through one array, most recently begun
/// first. At the bound the contexts that were not seen for longest are dropped and the table is rebuilt.
package struct SuccessorTable: Sendable {
    struct Context: Sendable {
        var key: UInt64 = 0
        var total: UInt32 = 0
        var distinct: UInt32 = 0
        /// Index of the first entry plus one; 0: an empty slot.
        var head: UInt32 = 0
        /// When it was last counted, in counts of this table.
        var touched: UInt32 = 0
    }

    struct Entry: Sendable {
        var symbol: UInt32
        var count: UInt32
        /// Index of the next entry plus one, 0 at the end.
        var next: UInt32
    }

    private var contexts: Blocks<Context>
    private(set) var entries = Blocks<Entry>()
    private var used = 0
    private var clock: UInt32 = 0
    /// Largest number of entries.
    package private(set) var capacity: Int
    /// Longest list of a context: what was not seen for longest leaves it. Bounds the time of every call.
    let widest: Int

    package init(capacity: Int, widest: Int = 256) {
        self.capacity = max(16, capacity)
        self.widest = max(1, widest)
        contexts = Blocks<Context>(repeating: Context(), count: 1024)
    }

    package var entryCount: Int { entries.count }
    package var memoryBytes: Int {
        contexts.memoryBytes + entries.memoryBytes
    }

    /// The place of a context, or of the empty slot where it belongs.
    @inline(__always)
    private func slot(_ key: UInt64) -> Int {
        let mask = contexts.count - 1
        var slot = Int(truncatingIfNeeded: SeededGenerator.mix(key)) & mask
        while contexts[slot].head != 0 && contexts[slot].key != key { slot = (slot + 1) & mask }
        return slot
    }

    /// How often anything followed `key`, and how many different symbols did.
    package func totals(_ key: UInt64) -> (total: Int, distinct: Int) {
        let context = contexts[slot(key)]
        return (Int(context.total), Int(context.distinct))
    }

    /// Calls `body` for what followed `key`, the latest first, until it returns false.
    @inline(__always)
    package func forEach(_ key: UInt64, _ body: (_ symbol: UInt32, _ count: UInt32) -> Bool) {
        var next = contexts[slot(key)].head
        while next != 0 {
            let entry = entries[Int(next) - 1]
            guard body(entry.symbol, entry.count) else { return }
            next = entry.next
        }
    }

    package func count(_ key: UInt64, _ symbol: UInt32) -> Int {
        var next = contexts[slot(key)].head
        while next != 0 {
            let entry = entries[Int(next) - 1]
            if entry.symbol == symbol { return Int(entry.count) }
            next = entry.next
        }
        return 0
    }

    package mutating func add(_ key: UInt64, _ symbol: UInt32, _ weight: UInt32 = 1) {
        clock &+= 1
        var slot = self.slot(key)
        var next = contexts[slot].head
        var previous: UInt32 = 0
        let isFull = contexts[slot].distinct >= widest
        while next != 0 {
            let index = Int(next) - 1
            let isTaken = isFull && entries[index].next == 0 && entries[index].symbol != symbol
            if isTaken {
                // The total keeps the count: what left the list is still part of what else may come.
                entries[index].symbol = symbol
                entries[index].count = 0
            }
            if entries[index].symbol == symbol {
                entries[index].count &+= weight
                contexts[slot].total &+= weight
                contexts[slot].touched = clock
                // Move to the front: what was seen last is found first.
                if previous != 0 {
                    entries[Int(previous) - 1].next = entries[index].next
                    entries[index].next = contexts[slot].head
                    contexts[slot].head = next
                }
                return
            }
            previous = next
            next = entries[index].next
        }
        if entries.count >= capacity {
            compact(keeping: capacity - capacity / 4)
            slot = self.slot(key)
        }
        if contexts[slot].head == 0 {
            contexts[slot] = Context(key: key)
            used += 1
        }
        entries.append(Entry(symbol: symbol, count: weight, next: contexts[slot].head))
        contexts[slot].head = UInt32(entries.count)
        contexts[slot].distinct += 1
        contexts[slot].total &+= weight
        contexts[slot].touched = clock
        if used * 4 > contexts.count * 3 { rehash(contexts.count * 2) }
    }

    private mutating func rehash(_ size: Int) {
        let old = contexts
        contexts = Blocks<Context>(repeating: Context(), count: size)
        for context in old where context.head != 0 { contexts[slot(context.key)] = context }
    }

    /// Keeps the contexts seen last, up to `limit` entries in all; of long lists the front, seen last.
    package mutating func compact(keeping limit: Int) {
        let kept = contexts.filter { $0.head != 0 }.sorted { $0.touched > $1.touched }
        let old = entries
        entries = Blocks()
        contexts = Blocks<Context>(repeating: Context(), count: contexts.count)
        used = 0
        for context in kept {
            guard entries.count + Int(context.distinct) <= limit else { break }
            var new = context
            var list: [Entry] = []
            var next = context.head
            while next != 0 {
                list.append(old[Int(next) - 1])
                next = old[Int(next) - 1].next
            }
            new.head = 0
            for var entry in list.reversed() {
                entry.next = new.head
                entries.append(entry)
                new.head = UInt32(entries.count)
            }
            contexts[slot(context.key)] = new
            used += 1
        }
    }

    package mutating func forget(toFit bytes: Int) {
        // Contexts come in powers of two, so that one pass by the share of the entries may not be enough.
        while memoryBytes > bytes, used > 0 {
            let share = Int(Double(entries.count) * Double(bytes) / Double(memoryBytes))
            compact(keeping: min(share, entries.count * 7 / 8))
            var size = 64
            while size * 3 < used * 4 { size *= 2 }
            rehash(size)
            capacity = max(16, min(capacity, entries.count * 5 / 4))
        }
    }

    package func save(to archive: inout ArchiveWriter) {
        archive.put(UInt32(capacity))
        archive.put(UInt32(widest))
        archive.put(UInt32(used))
        for context in contexts.filter({ $0.head != 0 }).sorted(by: { $0.touched < $1.touched }) {
            archive.put(context.key)
            archive.put(context.distinct)
            var list: [(UInt32, UInt32)] = []
            forEach(context.key) {
                list.append(($0, $1))
                return true
            }
            for (symbol, count) in list.reversed() {
                archive.put(symbol)
                archive.put(count)
            }
        }
    }

    package init(from archive: inout ArchiveReader) throws(ForecastError) {
        let capacity = Int(try archive.get(UInt32.self))
        try archive.require(capacity <= 1 << 28, "a table of \(capacity) successors")
        let widest = Int(try archive.get(UInt32.self))
        try archive.require(widest >= 1 && widest <= 1 << 20, "lists of \(widest) successors")
        self.init(capacity: capacity, widest: widest)
        let count = try archive.count(size: 12)
        for _ in 0..<count {
            let key = try archive.get(UInt64.self)
            let distinct = try archive.get(UInt32.self)
            try archive.require(distinct > 0 && entries.count + Int(distinct) <= capacity, "a context's size is wrong")
            for _ in 0..<distinct {
                let symbol = try archive.getNumber()
                add(key, symbol, max(1, try archive.get(UInt32.self)))
            }
        }
    }
}
