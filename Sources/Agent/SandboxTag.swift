import NurseryABI
import WarmPool

/// What hearthd writes on a sandbox that the nursery keeps (the 64 opaque bytes of HN_KEEP), for the hearthd that comes after it.
///
/// Little-endian, version first, a checksum last. It is read as if a stranger had written it: a tag that is not whole, of
/// another version, or of sandboxes made with other rules is no tag, and its sandbox ends.
struct SandboxTag: Equatable, Sendable {
    static let size = 64
    private static let version: UInt8 = 1

    /// Descriptors kept along, in this order: the function's channel, its stdout, its stderr.
    struct Kept: OptionSet, Equatable, Sendable {
        let rawValue: UInt8
        static let channel = Kept(rawValue: 1)
        static let output = Kept(rawValue: 2)
        static let errors = Kept(rawValue: 4)
        static let all: Kept = [.channel, .output, .errors]

        var count: Int { rawValue.nonzeroBitCount }
    }

    var tier: Tier
    var kept: Kept
    /// Index in `RuntimeKind.allCases`; with the tiers above bare.
    var runtime: UInt8
    /// Cookie of the SPAWN of the resident program; 0 where none runs.
    var program: UInt32
    /// Of the function; 0 below the ready tier. One counter serves all functions, so it names the function too.
    var generation: UInt64
    /// On the monotonic clock.
    var created: Int64
    /// What the sandbox was made with: profiles, interfaces, the runtimes' command lines (`SandboxEnvironment.posture`).
    var posture: UInt64
    /// What of it was fixed when it was made (`SandboxBase`, `RuntimeLaunch`): functions that agree with it may have it.
    var tmpBytes: Int64
    var memory: Int64
    var processes: UInt32

    var encoded: [UInt8] {
        var bytes: [UInt8] = [Self.version, tier.rawValue, kept.rawValue, runtime]
        Self.append(program, to: &bytes)
        Self.append(generation, to: &bytes)
        Self.append(UInt64(bitPattern: created), to: &bytes)
        Self.append(UInt64(processes), to: &bytes)
        Self.append(posture, to: &bytes)
        Self.append(UInt64(bitPattern: tmpBytes), to: &bytes)
        Self.append(UInt64(bitPattern: memory), to: &bytes)
        Self.append(Checksum.of(bytes), to: &bytes)
        return bytes
    }

    init(
        tier: Tier, kept: Kept, runtime: UInt8, program: UInt32, generation: UInt64, created: Int64,
        posture: UInt64, tmpBytes: Int64, memory: Int64, processes: UInt32
    ) {
        self.tier = tier
        self.kept = kept
        self.runtime = runtime
        self.program = program
        self.generation = generation
        self.created = created
        self.posture = posture
        self.tmpBytes = tmpBytes
        self.memory = memory
        self.processes = processes
    }

    /// Nil for anything that this version did not write whole.
    init?(_ bytes: [UInt8]) {
        guard bytes.count == Self.size, bytes[0] == Self.version,
            Self.number(bytes, 56, 8) == Checksum.of(bytes[..<56]),
            let tier = Tier(rawValue: bytes[1]), tier > .none, bytes[2] & ~Kept.all.rawValue == 0,
            Int(bytes[3]) < RuntimeKind.allCases.count, Self.number(bytes, 24, 8) <= UInt32.max
        else { return nil }
        self.init(
            tier: tier, kept: Kept(rawValue: bytes[2]), runtime: bytes[3], program: UInt32(Self.number(bytes, 4, 4)),
            generation: Self.number(bytes, 8, 8), created: Int64(bitPattern: Self.number(bytes, 16, 8)),
            posture: Self.number(bytes, 32, 8), tmpBytes: Int64(bitPattern: Self.number(bytes, 40, 8)),
            memory: Int64(bitPattern: Self.number(bytes, 48, 8)), processes: UInt32(Self.number(bytes, 24, 8)))
        guard (generation != 0) == (tier == .ready) else { return nil }
    }

    private static func append(_ value: some FixedWidthInteger, to bytes: inout [UInt8]) {
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }

    private static func number(_ bytes: [UInt8], _ at: Int, _ count: Int) -> UInt64 {
        var value: UInt64 = 0
        for index in (0..<count).reversed() { value = value << 8 | UInt64(bytes[at + index]) }
        return value
    }
}

/// FNV-1a (64 bits): tells accidents, not attackers.
struct Checksum {
    private(set) var value: UInt64 = 0xcbf2_9ce4_8422_2325

    mutating func add(_ bytes: some Sequence<UInt8>) {
        for byte in bytes { value = (value ^ UInt64(byte)) &* 0x100_0000_01b3 }
    }

    /// Texts one after the other, told apart by a NUL.
    mutating func add(_ text: String) {
        add(text.utf8)
        add([0])
    }

    static func of(_ bytes: some Sequence<UInt8>) -> UInt64 {
        var checksum = Checksum()
        checksum.add(bytes)
        return checksum.value
    }
}
