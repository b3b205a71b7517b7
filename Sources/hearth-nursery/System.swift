import CNursery
import NurseryABI

/// What failed, and at which step: the one error type of the nursery and of PID 1.
struct Failure: Error {
    let error: Int32
    let stage: hn_stage

    init(_ error: Int32, _ stage: hn_stage) {
        self.error = error
        self.stage = stage
    }
}

/// The one place where a kernel result becomes an error.
@inline(__always)
@discardableResult
func check(_ result: Int, _ stage: hn_stage) throws(Failure) -> Int32 {
    if result < 0 { throw Failure(Int32(truncatingIfNeeded: -result), stage) }
    return Int32(truncatingIfNeeded: result)
}

/// Owns a descriptor and closes it exactly once.
struct FD: ~Copyable {
    private(set) var raw: Int32

    init(_ raw: Int32) {
        self.raw = raw
    }

    deinit {
        if raw >= 0 { _ = cn_close(raw) }
    }

    /// The same file out of the places that children of the shared table use; the low number is free afterwards.
    consuming func raised() throws(Failure) -> FD {
        FD(try check(cn_dup_above(raw, Nursery.firstFree), HN_STAGE_TABLE))
    }

    consuming func release() -> Int32 {
        let fd = raw
        raw = -1
        return fd
    }
}

/// A NUL-terminated constant, as the kernel wants it.
@inline(__always)
func path(_ literal: StaticString) -> cn_path {
    UnsafeRawPointer(literal.utf8Start).assumingMemoryBound(to: CChar.self)
}

/// The length of a NUL-terminated string within its buffer; nil when there is no NUL in it.
func boundedLength(_ bytes: UnsafePointer<CChar>, _ capacity: Int) -> Int? {
    for index in 0..<capacity where bytes[index] == 0 { return index }
    return nil
}

/// Text of bounded length on the stack: numbers and short paths, without an allocator.
struct ShortText {
    private var bytes = InlineArray<120, UInt8>(repeating: 0)
    private(set) var count = 0

    mutating func append(_ literal: StaticString) {
        for index in 0..<literal.utf8CodeUnitCount { append(byte: literal.utf8Start[index]) }
    }

    mutating func append(_ number: UInt64) {
        if number >= 10 { append(number / 10) }
        append(byte: UInt8(48 + number % 10))
    }

    mutating func append(text: UnsafePointer<CChar>, length: Int) {
        for index in 0..<length { append(byte: UInt8(bitPattern: text[index])) }
    }

    /// One byte is kept for the NUL; what does not fit is dropped, so callers bound their input.
    mutating func append(byte: UInt8) {
        guard count < 119 else { return }
        bytes[count] = byte
        count += 1
    }

    /// Lends the text with a NUL after it.
    func withPath<Result>(_ body: (cn_path) throws(Failure) -> Result) throws(Failure) -> Result {
        var copy = bytes
        copy[count] = 0
        // The pointer is used within the call only.
        return try withUnsafePointer(to: &copy) { (pointer) throws(Failure) in
            try body(UnsafeRawPointer(pointer).assumingMemoryBound(to: CChar.self))
        }
    }
}

/// Writes a line to the log descriptor: what an operator must know and no reply can carry.
func log(_ message: StaticString, _ error: Int32 = 0) {
    var line = ShortText()
    line.append("hearth-nursery: ")
    line.append(message)
    if error != 0 {
        line.append(" (errno ")
        line.append(UInt64(error))
        line.append(")")
    }
    line.append(byte: 10)
    let count = line.count
    _ = try? line.withPath { (text) throws(Failure) in cn_write(2, text, count) }
}
