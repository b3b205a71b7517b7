import CreateBench
import Glibc
import Linux

/// A connection to `hearth-floor relay`: a C program that passes a message on, or answers it itself.
final class Relay {
    private static let messageSize = 64

    private let helper: Helper
    private let socket: SharedFD

    var pid: Int32 { helper.pid }

    init(executables: String, scratch: String, hops: Int) throws(BenchError) {
        let path = scratch + "/relay-\(hops).sock"
        let helper = try Helper([
            executables + "/hearth-floor", "relay", "--socket", path, "--hops", String(hops),
        ])
        guard try helper.ask(nil) == "listening" else {
            throw .helper(subject: "relay", said: "it does not listen on \(path)")
        }
        do throws(Errno) {
            let connected = try UnixSocket.connect(path: path, kind: .stream)
            try connected.setNonblocking(false)
            socket = SharedFD(connected)
        } catch {
            helper.stop(signal: true)
            throw .system(what: "connecting to \(path)", error)
        }
        self.helper = helper
    }

    /// One message there and back, in nanoseconds.
    func roundTrip() throws(BenchError) -> Int64 {
        var message = [UInt8](repeating: 0x78, count: Self.messageSize)
        do throws(Errno) {
            let begin = monotonicNow()
            _ = try Message.send(socket.rawValue, message, wait: true)
            var done = 0
            while done < message.count {
                let fd = socket.rawValue
                let count = try systemCall {
                    message.withUnsafeMutableBytes { recv(fd, $0.baseAddress, $0.count, 0) }
                }
                if count == 0 { throw .connectionReset }
                done += count
            }
            return monotonicNow() - begin
        } catch {
            throw .system(what: "a message through the relay", error)
        }
    }

    func stop() {
        helper.stop(signal: true)
    }
}
