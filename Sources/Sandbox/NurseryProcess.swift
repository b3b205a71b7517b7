import Glibc
package import Linux
import NurseryABI

/// Where the nursery finds what it needs, and how long it goes on alone.
package struct NurseryConfiguration: Sendable {
    package var executable: String
    package var socket: String
    package var images: String
    package var code: String
    package var runtimes: String
    /// Seconds that sandboxes outlive their hearthd.
    package var linger: Int
    /// Network namespaces held ready.
    package var networks: Int
    /// The user whose hearthd it serves, beside root's.
    package var user: UInt32?

    package init(
        executable: String, socket: String, images: String, code: String, runtimes: String, linger: Int = 60,
        networks: Int = 16, user: UInt32? = nil
    ) {
        self.executable = executable
        self.socket = socket
        self.images = images
        self.code = code
        self.runtimes = runtimes
        self.linger = linger
        self.networks = networks
        self.user = user
    }
}

package enum NurseryProcess {
    /// Connects to a nursery that is there already (a service, or one that outlived its hearthd).
    package static func connect(_ configuration: NurseryConfiguration) -> OwnedFD? {
        try? UnixSocket.connect(path: configuration.socket, kind: .sequencedPacket)
    }

    /// Ends a nursery that another hearthd left, with its sandboxes; returns when it has gone.
    package static func end(_ connection: consuming OwnedFD) {
        var request = NurseryClient.request(HN_SHUTDOWN)
        let fd = connection.rawValue
        _ = withUnsafeBytes(of: &request) { bytes in try? Message.send(fd, bytes, wait: true) }
        var buffer = [UInt8](repeating: 0, count: 1024)
        while let count = try? buffer.withUnsafeMutableBytes({ (bytes) throws(Errno) in
            try Message.read(fd, into: bytes)
        }),
            count > 0
        {}
    }

    /// Starts a nursery: in a session of its own, so that a terminal's signals to hearthd leave the sandboxes alone.
    package static func start(
        _ configuration: NurseryConfiguration, cgroup: Int32
    ) throws(SandboxError) -> StartedNursery {
        let arguments =
            [
                configuration.executable, configuration.images, configuration.code, configuration.runtimes,
                String(configuration.linger), String(configuration.networks),
            ] + (configuration.user.map { [String($0)] } ?? [])
        do throws(Errno) {
            // Nobody answered there: what is left of a nursery that died is only its name.
            if Files.exists(configuration.socket) { try Files.unlink(configuration.socket) }
            let listener = try UnixSocket.listen(
                path: configuration.socket, kind: .sequencedPacket, backlog: 8, mode: 0o600)
            // The nursery's accept may wait; hearthd's own listeners may not.
            try listener.setNonblocking(false)
            let null = try Files.open("/dev/null", flags: O_RDWR)
            let process = try Linux.Process.spawn(
                arguments, environment: [],
                descriptors: [null.rawValue, null.rawValue, 2, listener.rawValue], newSession: true, cgroup: cgroup)
            let connection = try UnixSocket.connect(path: configuration.socket, kind: .sequencedPacket)
            return StartedNursery(process: process, connection: connection)
        } catch {
            throw .nurseryUnavailable("\(configuration.executable): \(error)")
        }
    }
}

/// A nursery that was just started: its process, which is ours to reap, and the connection to it.
package struct StartedNursery: ~Copyable {
    package let process: Linux.Process
    package let connection: OwnedFD

    package consuming func takeConnection() -> OwnedFD { connection }

    /// Hands both parts over.
    package consuming func take<Result>(
        _ body: (consuming Linux.Process, consuming OwnedFD) -> Result
    ) -> Result {
        body(process, connection)
    }
}
