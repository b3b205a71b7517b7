import CLinux
import Glibc

/// Both ends of a pipe(2) or of a socketpair(2), close-on-exec.
package struct DescriptorPair: ~Copyable, Sendable {
    /// The reading end of a pipe, or one end of a socket pair.
    package let first: OwnedFD
    /// The writing end of a pipe, or the other end of a socket pair.
    package let second: OwnedFD

    package enum SocketKind: Sendable {
        case stream
        case sequencedPacket

        var rawValue: Int32 {
            switch self {
            case .stream: Int32(SOCK_STREAM.rawValue)
            case .sequencedPacket: Int32(SOCK_SEQPACKET.rawValue)
            }
        }
    }

    private init(_ fds: (Int32, Int32)) {
        first = OwnedFD(owning: fds.0)
        second = OwnedFD(owning: fds.1)
    }

    package static func pipe(nonblockingReader: Bool = false) throws(Errno) -> DescriptorPair {
        let pair = try make { clx_pipe($0, 0) }
        if nonblockingReader { try pair.first.setNonblocking(true) }
        return pair
    }

    package static func socket(_ kind: SocketKind) throws(Errno) -> DescriptorPair {
        try make { clx_socketpair(kind.rawValue, $0) }
    }

    /// A pseudo terminal: `first` is the master, `second` the terminal.
    package static func pseudoTerminal() throws(Errno) -> DescriptorPair {
        try make { clx_openpty($0) }
    }

    package consuming func take() -> (first: Int32, second: Int32) {
        (first.release(), second.release())
    }

    private static func make(_ body: (UnsafeMutablePointer<Int32>) -> Int32) throws(Errno) -> DescriptorPair {
        // C fills an array of two; the tuple would need a rebound pointer as well.
        var fds: [Int32] = [-1, -1]
        _ = try systemCall { fds.withUnsafeMutableBufferPointer { $0.baseAddress.map(body) ?? -1 } }
        return DescriptorPair((fds[0], fds[1]))
    }
}
