import CLinux
import Glibc

/// An error number of the kernel (errno(3)): the one error type at the system edge.
public struct Errno: Error, RawRepresentable, Hashable, Sendable, CustomStringConvertible {
    public let rawValue: Int32

    public init(rawValue: Int32) {
        self.rawValue = rawValue
    }

    /// What the last failed call of this thread left in `errno`.
    package static var current: Errno { Errno(rawValue: Glibc.errno) }

    package static let permissionDenied = Errno(rawValue: EACCES)
    package static let notPermitted = Errno(rawValue: EPERM)
    package static let noEntry = Errno(rawValue: ENOENT)
    package static let exists = Errno(rawValue: EEXIST)
    package static let notDirectory = Errno(rawValue: ENOTDIR)
    package static let tooManySymbolicLinks = Errno(rawValue: ELOOP)
    package static let crossDevice = Errno(rawValue: EXDEV)
    package static let busy = Errno(rawValue: EBUSY)
    package static let wouldBlock = Errno(rawValue: EAGAIN)
    package static let interrupted = Errno(rawValue: EINTR)
    package static let invalidArgument = Errno(rawValue: EINVAL)
    package static let noSpace = Errno(rawValue: ENOSPC)
    package static let overQuota = Errno(rawValue: EDQUOT)
    package static let noSuchProcess = Errno(rawValue: ESRCH)
    package static let noChild = Errno(rawValue: ECHILD)
    package static let brokenPipe = Errno(rawValue: EPIPE)
    package static let connectionReset = Errno(rawValue: ECONNRESET)
    package static let connectionRefused = Errno(rawValue: ECONNREFUSED)
    package static let notConnected = Errno(rawValue: ENOTCONN)
    package static let addressInUse = Errno(rawValue: EADDRINUSE)
    package static let notSupported = Errno(rawValue: EOPNOTSUPP)
    package static let noSystemCall = Errno(rawValue: ENOSYS)
    package static let noDevice = Errno(rawValue: ENODEV)
    package static let tooManyFiles = Errno(rawValue: EMFILE)
    package static let tooBig = Errno(rawValue: E2BIG)
    package static let fileTooLarge = Errno(rawValue: EFBIG)
    package static let messageTooLong = Errno(rawValue: EMSGSIZE)
    package static let protocolError = Errno(rawValue: EPROTO)
    package static let timedOut = Errno(rawValue: ETIMEDOUT)
    package static let noMemory = Errno(rawValue: ENOMEM)

    /// The symbol and the C library's text: `ENOENT (No such file or directory)`.
    public var description: String {
        guard let name = clx_errno_name(rawValue), let text = clx_errno_text(rawValue) else {
            return "errno \(rawValue)"
        }
        return "\(String(cString: name)) (\(String(cString: text)))"
    }
}
