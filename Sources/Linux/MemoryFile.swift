import CLinux
import Glibc

/// Anonymous files (memfd_create(2)).
package enum MemoryFile {
    /// MFD_ALLOW_SEALING (memfd_create(2)).
    private static let allowSealing: UInt32 = 2

    package static func empty(name: String) throws(Errno) -> OwnedFD {
        OwnedFD(owning: try systemCall { clx_memfd(name, allowSealing) })
    }

    package static func sealed(name: String, _ bytes: [UInt8]) throws(Errno) -> OwnedFD {
        let fd = try empty(name: name)
        try seal(fd.rawValue, with: bytes)
        return fd
    }

    /// A sealed, read-only file that holds `bytes`, positioned at its start.
    package static func sealed(name: String, _ bytes: UnsafeRawBufferPointer) throws(Errno) -> OwnedFD {
        let fd = try empty(name: name)
        let raw = fd.rawValue
        try write(bytes, to: raw)
        try seal(raw)
        return fd
    }

    /// Gives an empty file its content for good. Its position stays at the start.
    package static func seal(_ fd: Int32, with bytes: [UInt8]) throws(Errno) {
        var failure: Errno?
        bytes.withUnsafeBytes { raw in
            do throws(Errno) { try write(raw, to: fd) } catch { failure = error }
        }
        if let failure { throw failure }
        try seal(fd)
    }

    private static func write(_ bytes: UnsafeRawBufferPointer, to fd: Int32) throws(Errno) {
        var done = 0
        while done < bytes.count {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[done...])
            done += try systemCall { pwrite(fd, rest.baseAddress, rest.count, off_t(done)) }
        }
    }

    private static func seal(_ fd: Int32) throws(Errno) {
        // F_SEAL_SEAL, F_SEAL_SHRINK, F_SEAL_GROW and F_SEAL_WRITE (fcntl(2)), which the Glibc module does not export.
        _ = try systemCall { clx_seal(fd, 0xf) }
    }
}
