/// Gives names small numbers, and takes them back: functions, users, sessions and topics as `UInt32`.
package struct Interner: Sendable {
    private var numbers: [String: UInt32] = [:]
    private var names: [String] = []
    private var free: [UInt32] = []

    package init() {}

    package var count: Int { numbers.count }
    /// One more than the largest number ever given.
    package var capacity: Int { names.count }

    /// The number of `name`, a new one if need be.
    package mutating func intern(_ name: String) -> UInt32 {
        if let number = numbers[name] { return number }
        let number: UInt32
        if let reused = free.popLast() {
            number = reused
            names[Int(number)] = name
        } else {
            number = UInt32(names.count)
            names.append(name)
        }
        numbers[name] = number
        return number
    }

    package func find(_ name: String) -> UInt32? { numbers[name] }
    package func name(_ number: UInt32) -> String? {
        guard Int(number) < names.count, numbers[names[Int(number)]] == number else { return nil }
        return names[Int(number)]
    }

    /// Forgets a name; its number is given again.
    package mutating func release(_ number: UInt32) {
        guard let name = name(number) else { return }
        numbers[name] = nil
        names[Int(number)] = ""
        free.append(number)
    }

    /// Gives back the room of released names, as far as the numbers of the others allow.
    package mutating func compact() {
        let last = names.indices.last { name(UInt32($0)) != nil }
        names = Array(names.prefix((last ?? -1) + 1))
        free = free.filter { $0 < names.count }
        numbers = numbers.reduce(into: Dictionary(minimumCapacity: numbers.count)) { $0[$1.key] = $1.value }
    }

    /// Bytes held; names of up to 15 bytes need no storage of their own.
    package var memoryBytes: Int {
        names.reduce(0) { $0 + max(0, $1.utf8.count - 15) } + names.capacity * 16 + numbers.capacity * 28
    }

    package func save(to archive: inout ArchiveWriter) {
        archive.put(UInt32(names.count))
        for number in names.indices {
            let used = name(UInt32(number)) != nil
            archive.put(UInt8(used ? 1 : 0))
            if used { archive.put(names[number]) }
        }
    }

    package init(from archive: inout ArchiveReader) throws(ForecastError) {
        let count = try archive.count(size: 1)
        for number in 0..<count {
            if try archive.get(UInt8.self) == 1 {
                let name = try archive.get(String.self)
                try archive.require(numbers[name] == nil, "the name \(name) occurs twice")
                numbers[name] = UInt32(number)
                names.append(name)
            } else {
                names.append("")
                free.append(UInt32(number))
            }
        }
    }
}
