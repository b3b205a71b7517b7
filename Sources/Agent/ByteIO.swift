import Glibc
import Linux

/// Reading and writing arrays on non-blocking descriptors.
enum ByteIO {
    /// send(2) of `bytes` from `start`; never raises SIGPIPE.
    static func send(_ fd: Int32, _ bytes: [UInt8], from start: Int) throws(Errno) -> Int {
        let flags = Int32(truncatingIfNeeded: MSG_DONTWAIT) | 0x4000  // MSG_NOSIGNAL
        return try systemCall {
            bytes.withUnsafeBytes { Glibc.send(fd, $0.baseAddress.map { $0 + start }, $0.count - start, flags) }
        }
    }

    /// One buffer for every read: all readers are on the loop's thread, and a fresh one for each read would cost more than the
    /// reads (16 ms an invocation in a debug build, measured).
    @LoopActor private static var scratch = [UInt8](repeating: 0, count: 64 << 10)

    /// read(2) of at most `count` bytes, and at most 64 KiB, to the end of `bytes`.
    @LoopActor
    static func read(_ fd: Int32, appendingTo bytes: inout [UInt8], _ count: Int) throws(Errno) -> Int {
        let size = min(count, scratch.count)
        let got = try systemCall {
            scratch.withUnsafeMutableBytes { Glibc.read(fd, $0.baseAddress, size) }
        }
        bytes.append(contentsOf: scratch[..<got])
        return got
    }
}
