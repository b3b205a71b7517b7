/// Makes a compiled filter shorter without changing what it says.
///
/// The kernel translates a filter to machine code each time it is installed, which is once for every start: 135 us for the 546
/// instructions that libseccomp writes for the default profile, since it compares with every call number alone.
/// Neighbouring calls mostly have the same answer, so a search over ranges needs a fraction of the comparisons.
///
/// The program is evaluated symbolically for one call number of every range in which its own comparisons cannot tell numbers apart.
/// Whatever it does that is not understood here leaves it as it was.
extension SeccompProgram {
    /// The same filter as a search over ranges of call numbers; the argument itself where that is not shorter.
    package func compacted() -> SeccompProgram {
        let source = BPF.decode(bytes)
        guard let result = Compaction(source).program(), result.count < source.count else { return self }
        return SeccompProgram(bytes: BPF.encode(result))
    }
}

/// One classic BPF instruction (linux/filter.h).
struct BPF: Hashable {
    var code: UInt16
    var yes: UInt8 = 0
    var no: UInt8 = 0
    var k: UInt32

    static let load: UInt16 = 0x20  // BPF_LD | BPF_W | BPF_ABS
    static let and: UInt16 = 0x54
    static let jump: UInt16 = 0x05
    static let equal: UInt16 = 0x15
    static let greater: UInt16 = 0x25
    static let atLeast: UInt16 = 0x35
    static let anySet: UInt16 = 0x45
    static let answer: UInt16 = 0x06

    static func decode(_ bytes: [UInt8]) -> [BPF] {
        stride(from: 0, to: bytes.count - 7, by: 8).map { at in
            let word = bytes[(at + 4)..<(at + 8)].reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
            return BPF(
                code: UInt16(bytes[at]) | UInt16(bytes[at + 1]) << 8, yes: bytes[at + 2], no: bytes[at + 3], k: word)
        }
    }

    static func encode(_ instructions: [BPF]) -> [UInt8] {
        instructions.flatMap { instruction in
            [
                UInt8(truncatingIfNeeded: instruction.code), UInt8(truncatingIfNeeded: instruction.code >> 8),
                instruction.yes, instruction.no,
            ]
                + (0..<4).map { UInt8(truncatingIfNeeded: instruction.k >> (8 * UInt32($0))) }
        }
    }

    /// Whether a comparison with a known value holds; nil for what is no comparison.
    func holds(_ value: UInt32) -> Bool? {
        switch code {
        case Self.equal: value == k
        case Self.greater: value > k
        case Self.atLeast: value >= k
        case Self.anySet: value & k != 0
        default: nil
        }
    }
}

private struct Compaction {
    /// What the filter does for one call number: an answer, or a test of an argument.
    indirect enum Decision: Hashable {
        case answer(UInt32)
        case test(offset: UInt32, mask: UInt32?, comparison: BPF, yes: Decision, no: Decision)
    }

    /// What the accumulator holds while one call number is followed.
    enum Accumulator {
        case number
        case architecture
        case field(offset: UInt32, mask: UInt32?)
        case nothing
    }

    struct Range {
        var first: UInt32
        var decision: Decision
    }

    // struct seccomp_data (linux/seccomp.h): nr, arch, instruction_pointer, args[6].
    static let numberOffset: UInt32 = 0
    static let architectureOffset: UInt32 = 4

    let source: [BPF]

    init(_ source: [BPF]) {
        self.source = source
    }

    /// The prelude that libseccomp writes: another architecture gets one answer, whatever the number.
    func program() -> [BPF]? {
        guard source.count > 4, source[0] == BPF(code: BPF.load, k: Self.architectureOffset),
            source[1].code == BPF.equal
        else { return nil }
        let native = source[1].k
        guard let foreign = decide(number: 0, architecture: native ^ 1), case .answer(let refusal) = foreign,
            let ranges = ranges(architecture: native)
        else { return nil }
        var writer = BackwardWriter()
        _ = writer.search(ranges.map { ($0.first, $0.decision) }[...])
        return [
            BPF(code: BPF.load, k: Self.architectureOffset),
            BPF(code: BPF.equal, yes: 1, no: 0, k: native),
            BPF(code: BPF.answer, k: refusal),
            BPF(code: BPF.load, k: Self.numberOffset),
        ] + writer.reversed.reversed()
    }

    // MARK: What the program says

    /// The ranges of numbers with one decision each. Between two constants that the program compares numbers with, it cannot tell
    /// them apart.
    private func ranges(architecture: UInt32) -> [Range]? {
        var starts: Set<UInt32> = [0]
        for instruction in source where [BPF.equal, BPF.greater, BPF.atLeast].contains(instruction.code) {
            starts.insert(instruction.k)
            if instruction.k < .max { starts.insert(instruction.k + 1) }
        }
        var ranges: [Range] = []
        for start in starts.sorted() {
            guard let decision = decide(number: start, architecture: architecture) else { return nil }
            if ranges.last?.decision != decision { ranges.append(Range(first: start, decision: decision)) }
        }
        return ranges
    }

    private func decide(number: UInt32, architecture: UInt32) -> Decision? {
        follow(from: 0, .nothing, number, architecture, depth: 0)
    }

    private func follow(
        from start: Int, _ accumulator: Accumulator, _ number: UInt32, _ architecture: UInt32, depth: Int
    ) -> Decision? {
        // A filter has no loops; its conditions on one call are few.
        guard depth < 64 else { return nil }
        var at = start
        var held = accumulator
        while at < source.count {
            let instruction = source[at]
            at += 1
            switch instruction.code {
            case BPF.load:
                switch instruction.k {
                case Self.numberOffset: held = .number
                case Self.architectureOffset: held = .architecture
                default: held = .field(offset: instruction.k, mask: nil)
                }
            case BPF.and:
                guard case .field(let offset, let mask) = held else { return nil }
                held = .field(offset: offset, mask: (mask ?? .max) & instruction.k)
            case BPF.jump:
                at += Int(instruction.k)
            case BPF.answer:
                return .answer(instruction.k)
            default:
                let known: UInt32
                switch held {
                case .number:
                    // Its ranges are only those of comparisons by size.
                    guard instruction.code != BPF.anySet else { return nil }
                    known = number
                case .architecture: known = architecture
                case .nothing: return nil
                // libseccomp compares both halves of a register, also the one whose mask is empty.
                case .field(_, 0): known = 0
                case .field(let offset, let mask):
                    let yes = follow(from: at + Int(instruction.yes), held, number, architecture, depth: depth + 1)
                    let no = follow(from: at + Int(instruction.no), held, number, architecture, depth: depth + 1)
                    guard instruction.holds(0) != nil, let yes, let no else { return nil }
                    if yes == no { return yes }
                    let comparison = BPF(code: instruction.code, k: instruction.k)
                    return .test(offset: offset, mask: mask, comparison: comparison, yes: yes, no: no)
                }
                guard let holds = instruction.holds(known) else { return nil }
                at += Int(holds ? instruction.yes : instruction.no)
            }
        }
        return nil
    }
}

/// Writes decisions from the last instruction to the first: jumps only go forward, so whatever a decision leads to must be there
/// already, and what several lead to is written once.
private struct BackwardWriter {
    /// Conditional jumps reach 255 instructions; the margin is for what a jump itself may add.
    private static let reach = 250

    private(set) var reversed: [BPF] = []
    private var places: [Compaction.Decision: Int] = [:]

    /// A binary search over ranges that begin at a number; returns the place of its first instruction.
    mutating func search(_ ranges: ArraySlice<(first: UInt32, decision: Compaction.Decision)>) -> Int {
        if ranges.count == 1, let only = ranges.first { return write(only.decision) }
        let middle = ranges.startIndex + ranges.count / 2
        let above = search(ranges[middle...])
        let below = search(ranges[..<middle])
        return branch(BPF(code: BPF.atLeast, k: ranges[middle].first), yes: above, no: below)
    }

    private mutating func write(_ decision: Compaction.Decision) -> Int {
        if let place = places[decision] { return place }
        let place: Int
        switch decision {
        case .answer(let value):
            place = append(BPF(code: BPF.answer, k: value))
        case .test(let offset, let mask, let comparison, let yes, let no):
            let yesPlace = write(yes)
            let noPlace = write(no)
            _ = branch(comparison, yes: yesPlace, no: noPlace)
            if let mask { _ = append(BPF(code: BPF.and, k: mask)) }
            place = append(BPF(code: BPF.load, k: offset))
        }
        places[decision] = place
        return place
    }

    private mutating func branch(_ comparison: BPF, yes: Int, no: Int) -> Int {
        let yes = within(yes)
        let no = within(no)
        var comparison = comparison
        comparison.yes = UInt8(reversed.count - 1 - yes)
        comparison.no = UInt8(reversed.count - 1 - no)
        return append(comparison)
    }

    /// The place itself, or a copy of its answer, or a jump to it, that a conditional jump reaches.
    private mutating func within(_ place: Int) -> Int {
        guard reversed.count - 1 - place > Self.reach else { return place }
        let target = reversed[place]
        if target.code == BPF.answer { return append(target) }
        return append(BPF(code: BPF.jump, k: UInt32(reversed.count - 1 - place)))
    }

    private mutating func append(_ instruction: BPF) -> Int {
        reversed.append(instruction)
        return reversed.count - 1
    }
}
