import Linux
import Wire

/// The socket that clients connect to.
extension Agent {
    /// Claims the socket's path; the first thing a start does, since it tells cheapest that another agent is there.
    nonisolated static func claimSocket(_ configuration: AgentConfiguration) throws(AgentError) -> SharedFD {
        do throws(Errno) {
            return SharedFD(try listen(configuration))
        } catch {
            throw AgentError(
                .unavailable, "cannot listen on \(configuration.socket): \(error)",
                remedy: error == .addressInUse
                    ? "another hearthd answers there: stop it, or give this one another --socket"
                    : "check the directory and its permissions", errno: error)
        }
    }

    nonisolated private static func listen(_ configuration: AgentConfiguration) throws(Errno) -> OwnedFD {
        let path = configuration.socket
        if Files.exists(path) {
            // A socket that nobody answers on is what a killed agent leaves; one that is answered belongs to another.
            do throws(Errno) {
                _ = try UnixSocket.connect(path: path, kind: .stream)
                throw Errno.addressInUse
            } catch .connectionRefused {
                try Files.unlink(path)
            }
        }
        return try UnixSocket.listen(path: path, kind: .stream, backlog: 512, mode: configuration.socketMode)
    }
}
