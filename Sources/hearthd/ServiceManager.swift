import Glibc
import Linux

/// sd_notify(3) without a library: one datagram.
enum ServiceManager {
    static func notifyReady() {
        guard let path = Environment.value("NOTIFY_SOCKET") else { return }
        let fd = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
        guard fd >= 0 else { return }
        defer { close(fd) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        var bytes = Array(path.utf8)
        guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else { return }
        // An abstract name begins with '@' in the variable and with NUL in the address.
        if bytes[0] == UInt8(ascii: "@") { bytes[0] = 0 }
        withUnsafeMutableBytes(of: &address.sun_path) { for (index, byte) in bytes.enumerated() { $0[index] = byte } }
        let length = socklen_t(MemoryLayout<sa_family_t>.size + bytes.count)
        withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                _ = "READY=1".withCString {
                    sendto(fd, $0, 7, Int32(truncatingIfNeeded: MSG_NOSIGNAL), pointer, length)
                }
            }
        }
    }
}
