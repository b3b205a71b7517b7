import Linux

/// What the next hearthd must know of this one if it is killed: which invocations were in flight, and which sandboxes ran
/// one. A mapped file (see `MappedFile`): noting costs some stores to memory and no system call, so it can be done for every
/// invocation.
///
/// One thread stores. A SIGKILL cannot reorder what it stored, and an entry counts only once its state is set, which is
/// last; a request reaches a sandbox by a system call made after that.
@LoopActor
final class RestartFile {
    /// An invocation that had no end when the former hearthd was killed.
    struct Lost: Equatable, Sendable {
        var id: UInt64
        var function: String
        var beganUnixMilliseconds: Int64
        /// 0 when it was waiting still.
        var sandbox: UInt64
    }

    /// What is known of a sandbox beside what the nursery keeps.
    struct Served: Equatable, Sendable {
        var invocations: Int
        /// On the monotonic clock, which goes on across processes.
        var lastUsed: Int64
        /// Checksum of the tag that the nursery was given last.
        var tag: UInt64
    }

    nonisolated static let slots = 4096
    nonisolated static let entries = 8192
    private nonisolated static let magic: UInt64 = 0x3154_5352_4854_5248  // "HRTHRST1"
    private nonisolated static let header = 4096
    private nonisolated static let slotSize = 32
    private nonisolated static let entrySize = 192
    private nonisolated static let nameLimit = 128
    private nonisolated static var entriesStart: Int { header + slots * slotSize }
    nonisolated static var size: Int { entriesStart + entries * entrySize }

    private let file: MappedFile?
    /// The entry freed last is used next, so that few pages are ever touched.
    private var free: [Int32] = []
    private(set) var lost: [Lost] = []
    private var lostEntries: [Int32] = []
    private var served: [UInt64: Served] = [:]
    private var busy: Set<UInt64> = []

    /// Reads what the former hearthd left.
    /// - Parameter file: nil where it could not be made: then nothing is noted, and nothing is known.
    init(_ file: MappedFile?) {
        self.file = file
        guard let file else { return }
        if file.bytes.load(as: UInt64.self) != Self.magic { file.bytes.initializeMemory(as: UInt8.self, repeating: 0) }
        file.bytes.storeBytes(of: Self.magic, as: UInt64.self)
        readEntries(file.bytes)
        readSlots(file.bytes)
        file.release()
    }

    // MARK: Of the former hearthd

    /// Whether the sandbox ran an invocation when the former hearthd was killed: what it holds is unknown then.
    func wasRunning(_ sandbox: UInt64) -> Bool { busy.contains(sandbox) }

    /// Nil where nothing was noted of the sandbox.
    func served(_ sandbox: UInt64) -> Served? { served[sandbox] }

    /// The former's notes have been used: what was lost is in the journal. Until now they stay in the file, so that a start that is
    /// killed leaves them to the next.
    func forgetFormer() {
        for entry in lostEntries.reversed() { ended(entry) }
        lostEntries = []
        lost = []
        served = [:]
        busy = []
    }

    private func readEntries(_ bytes: UnsafeMutableRawBufferPointer) {
        // The lowest are used first.
        for index in (0..<Self.entries).reversed() {
            let at = Self.entriesStart + index * Self.entrySize
            guard bytes.load(fromByteOffset: at + 32, as: UInt32.self) == 1 else {
                free.append(Int32(index))
                continue
            }
            lostEntries.append(Int32(index))
            let length = Int(bytes.load(fromByteOffset: at + 36, as: UInt32.self))
            guard length <= Self.nameLimit else { continue }  // no entry of ours
            let sandbox = bytes.load(fromByteOffset: at + 16, as: UInt64.self)
            if sandbox != 0 { busy.insert(sandbox) }
            lost.append(
                Lost(
                    id: bytes.load(fromByteOffset: at, as: UInt64.self),
                    function: String(decoding: bytes[(at + 40)..<(at + 40 + length)], as: UTF8.self),
                    beganUnixMilliseconds: bytes.load(fromByteOffset: at + 8, as: Int64.self), sandbox: sandbox))
        }
        lost.sort { $0.id < $1.id }
    }

    private func readSlots(_ bytes: UnsafeMutableRawBufferPointer) {
        for slot in 0..<Self.slots {
            let at = Self.header + slot * Self.slotSize
            let sandbox = bytes.load(fromByteOffset: at, as: UInt64.self)
            guard sandbox != 0 else { continue }
            let count = bytes.load(fromByteOffset: at + 8, as: UInt64.self)
            served[sandbox] = Served(
                invocations: Int(clamping: count), lastUsed: bytes.load(fromByteOffset: at + 16, as: Int64.self),
                tag: bytes.load(fromByteOffset: at + 24, as: UInt64.self))
        }
    }

    // MARK: Of this one

    /// Notes that an invocation was accepted; its entry, or -1 when there is none left: then it is not known to the next hearthd.
    func accepted(_ id: UInt64, function: String) -> Int32 {
        guard let file, let entry = free.popLast() else { return -1 }
        let at = Self.entriesStart + Int(entry) * Self.entrySize
        let bytes = file.bytes
        bytes.storeBytes(of: id, toByteOffset: at, as: UInt64.self)
        bytes.storeBytes(of: realtimeNow() / 1_000_000, toByteOffset: at + 8, as: Int64.self)
        bytes.storeBytes(of: 0, toByteOffset: at + 16, as: UInt64.self)
        var length = 0
        for byte in function.utf8.prefix(Self.nameLimit) {
            bytes[at + 40 + length] = byte
            length += 1
        }
        bytes.storeBytes(of: UInt32(length), toByteOffset: at + 36, as: UInt32.self)
        bytes.storeBytes(of: 1, toByteOffset: at + 32, as: UInt32.self)
        return entry
    }

    /// The invocation is handed to a sandbox now; 0 takes it back: the sandbox has given its answer.
    func runs(_ entry: Int32, in sandbox: UInt64) {
        guard let file, entry >= 0 else { return }
        file.bytes.storeBytes(
            of: sandbox, toByteOffset: Self.entriesStart + Int(entry) * Self.entrySize + 16, as: UInt64.self)
    }

    /// The invocation has its end, and the journal a row of it.
    func ended(_ entry: Int32) {
        guard let file, entry >= 0 else { return }
        file.bytes.storeBytes(
            of: 0, toByteOffset: Self.entriesStart + Int(entry) * Self.entrySize + 32, as: UInt32.self)
        free.append(entry)
    }

    /// A sandbox that the next hearthd must not take over.
    func forget(slot: UInt32) {
        guard let file, Int(slot) < Self.slots else { return }
        file.bytes.storeBytes(of: 0, toByteOffset: Self.header + Int(slot) * Self.slotSize, as: UInt64.self)
    }

    /// How often a sandbox has served; FUNCTION.md numbers the invocations of a process, so the count must go on.
    func note(slot: UInt32, sandbox: UInt64, _ served: Served) {
        guard let file, Int(slot) < Self.slots else { return }
        let at = Self.header + Int(slot) * Self.slotSize
        file.bytes.storeBytes(of: UInt64(served.invocations), toByteOffset: at + 8, as: UInt64.self)
        file.bytes.storeBytes(of: served.lastUsed, toByteOffset: at + 16, as: Int64.self)
        file.bytes.storeBytes(of: served.tag, toByteOffset: at + 24, as: UInt64.self)
        file.bytes.storeBytes(of: sandbox, toByteOffset: at, as: UInt64.self)
    }
}
