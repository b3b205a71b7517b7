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
        try Message.writeAll(fd.rawValue, bytes)
        try seal(fd)
        return fd
    }

    /// A sealed, read-only file that holds `bytes`, positioned at its start.
    package static func sealed(name: String, _ bytes: UnsafeRawBufferPointer) throws(Errno) -> OwnedFD {
        let fd = try empty(name: name)
        try Message.writeAll(fd.rawValue, bytes)
        try seal(fd)
        return fd
    }

    private static func seal(_ fd: borrowing OwnedFD) throws(Errno) {
        let raw = fd.rawValue
        // F_SEAL_SEAL, F_SEAL_SHRINK, F_SEAL_GROW and F_SEAL_WRITE (fcntl(2)), which the Glibc module does not export.
        _ = try systemCall { clx_seal(raw, 0xf) }
        _ = try systemCall { Int(lseek(raw, 0, SEEK_SET)) }
    }
}
