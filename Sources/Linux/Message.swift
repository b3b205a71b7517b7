import CLinux
import Glibc

/// Descriptor-level input and output: one call each, no buffering.
package enum Message {
    /// The most descriptors one message carries (the kernel's own limit is 253).
    package static let maximumDescriptors = Int(CLX_MAX_FDS)

    /// Sends bytes, and descriptors with the first of them (SCM_RIGHTS, unix(7)); never raises SIGPIPE.
    /// - Returns: the bytes the kernel took: all of them on a packet socket, maybe fewer on a stream.
    package static func send(
        _ fd: Int32, _ bytes: UnsafeRawBufferPointer, descriptors: [Int32] = [], wait: Bool = false
    ) throws(Errno) -> Int {
        let flags = wait ? 0 : Int32(truncatingIfNeeded: MSG_DONTWAIT)
        let count = Int32(descriptors.count)
        return try systemCall {
            descriptors.withUnsafeBufferPointer {
                clx_send(fd, bytes.baseAddress, bytes.count, nil, 0, $0.baseAddress, count, flags)
            }
        }
    }

    package static func send(
        _ fd: Int32, _ bytes: [UInt8], descriptors: [Int32] = [], wait: Bool = false
    ) throws(Errno) -> Int {
        let flags = wait ? 0 : Int32(truncatingIfNeeded: MSG_DONTWAIT)
        let count = Int32(descriptors.count)
        return try systemCall {
            bytes.withUnsafeBytes { data in
                descriptors.withUnsafeBufferPointer {
                    clx_send(fd, data.baseAddress, data.count, nil, 0, $0.baseAddress, count, flags)
                }
            }
        }
    }

    /// Receives bytes and the descriptors that came with them, close-on-exec; `count` 0 is the end of the stream.
    package static func receive(
        _ fd: Int32, into buffer: UnsafeMutableRawBufferPointer, wait: Bool = false
    ) throws(Errno) -> (count: Int, descriptors: [SharedFD]) {
        let flags = wait ? 0 : Int32(truncatingIfNeeded: MSG_DONTWAIT)
        var received: Int32 = 0
        // Sixteen words on the stack would do; the array keeps the call free of pointer rebinding, and is only
        // allocated where descriptors are expected.
        var fds = [Int32](repeating: -1, count: maximumDescriptors)
        let count = try systemCall {
            fds.withUnsafeMutableBufferPointer {
                clx_recv(fd, buffer.baseAddress, buffer.count, $0.baseAddress, &received, flags)
            }
        }
        return (count, fds.prefix(Int(received)).map { SharedFD(owning: $0) })
    }

    /// read(2).
    package static func read(_ fd: Int32, into buffer: UnsafeMutableRawBufferPointer) throws(Errno) -> Int {
        try systemCall { Glibc.read(fd, buffer.baseAddress, buffer.count) }
    }

    /// write(2) until everything is written, on a blocking descriptor.
    package static func writeAll(_ fd: Int32, _ bytes: [UInt8]) throws(Errno) {
        var done = 0
        while done < bytes.count {
            done += try systemCall {
                bytes.withUnsafeBytes { write(fd, $0.baseAddress.map { $0 + done }, $0.count - done) }
            }
        }
    }

    /// write(2) until everything is written, on a blocking descriptor.
    package static func writeAll(_ fd: Int32, _ bytes: UnsafeRawBufferPointer) throws(Errno) {
        var done = 0
        while done < bytes.count {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[done...])
            done += try systemCall { write(fd, rest.baseAddress, rest.count) }
        }
    }
}
