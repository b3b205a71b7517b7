import Linux

/// Journal entries on their way into the database, in a mapped file: they survive the SIGKILL of this process, and noting one costs a
/// copy of its bytes and no system call.
///
/// A ring. The header says how far it was ever written; how far the database has it is written in the database, with the
/// entries and in one transaction, so that after a kill every entry is there once. A power cut may leave torn pages: an entry counts
/// only with its checksum, and nothing is believed behind one that is not whole.
@LoopActor
final class JournalSpool {
    /// About five thousand entries: more than the journal lets wait for a batch.
    nonisolated static let size = 1 << 20
    private nonisolated static let header = 4096
    private nonisolated static let capacity = UInt64(size - header)
    private nonisolated static let magic: UInt64 = 0x314c_4f50_5348_5248  // "HRHSPOL1"
    /// Length, checksum, time; all little-endian as the machine is.
    private nonisolated static let prefix = 24

    private let file: MappedFile?
    /// Bytes ever written, and how many of them the database has.
    private(set) var written: UInt64
    private var stored: UInt64
    private var scratch = ByteWriter()

    /// - Parameter stored: how far the database has it, as `read` found it to be.
    init(_ file: MappedFile?, stored: UInt64) {
        self.file = file
        self.stored = stored
        written = stored
        guard let file else { return }
        file.bytes.storeBytes(of: stored, toByteOffset: 8, as: UInt64.self)
        file.bytes.storeBytes(of: Self.magic, as: UInt64.self)
        file.release()
    }

    /// What a former hearthd noted and the database has not; and where the next entry goes.
    nonisolated static func read(
        _ file: MappedFile?, stored: UInt64
    ) -> (notes: [(unixMilliseconds: Int64, event: JournalEvent)], end: UInt64) {
        guard let file, file.bytes.load(as: UInt64.self) == magic else { return ([], stored) }
        let written = file.bytes.load(fromByteOffset: 8, as: UInt64.self)
        guard written > stored, written - stored <= capacity else { return ([], max(written, stored)) }
        var notes: [(unixMilliseconds: Int64, event: JournalEvent)] = []
        var position = stored
        while written - position >= UInt64(prefix) {
            var head = ByteReader(copy(file, position, prefix))
            let length = head.number()
            let checksum = head.number()
            let time = head.number()
            guard length <= written - position - UInt64(prefix) else { break }
            let body = copy(file, position + UInt64(prefix), Int(length))
            guard Checksum.of(body) == checksum, let event = JournalEvent(body) else { break }
            notes.append((Int64(bitPattern: time), event))
            position += UInt64(prefix) + length
        }
        return (notes, written)
    }

    /// False where there is no room: the entry then waits in memory alone.
    @discardableResult
    func append(_ unixMilliseconds: Int64, _ event: JournalEvent) -> Bool {
        guard let file else { return false }
        scratch.removeAll()
        for _ in 0..<3 { scratch.append(0 as UInt64) }
        event.encode(into: &scratch)
        let length = scratch.bytes.count
        guard UInt64(length) <= Self.capacity - (written - stored) else { return false }
        scratch.set(UInt64(length - Self.prefix), at: 0)
        scratch.set(Checksum.of(scratch.bytes[Self.prefix...]), at: 8)
        scratch.set(UInt64(bitPattern: unixMilliseconds), at: 16)
        let start = Int(written % Self.capacity)
        let first = min(length, Int(Self.capacity) - start)
        scratch.bytes.withUnsafeBytes { bytes in
            let ring = UnsafeMutableRawBufferPointer(rebasing: file.bytes[Self.header...])
            UnsafeMutableRawBufferPointer(rebasing: ring[start..<(start + first)])
                .copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[..<first]))
            ring.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[first...]))
        }
        written += UInt64(length)
        file.bytes.storeBytes(of: written, toByteOffset: 8, as: UInt64.self)
        return true
    }

    /// The database has everything before `position`.
    func stored(through position: UInt64) { stored = max(stored, position) }

    /// Time to write, however short the time was.
    var isHalfFull: Bool { file != nil && written - stored > Self.capacity / 2 }

    private nonisolated static func copy(_ file: MappedFile, _ position: UInt64, _ count: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count)
        let start = Int(position % capacity)
        let first = min(count, Int(capacity) - start)
        bytes.append(contentsOf: file.bytes[(header + start)..<(header + start + first)])
        bytes.append(contentsOf: file.bytes[header..<(header + count - first)])
        return bytes
    }
}
