import Glibc
import Linux

/// A subject that is a process of its own: for each line on its stdin it makes one creation and answers with the
/// nanoseconds on a line (`hearth-floor serve` and `hearth-floor spawn`).
///
/// The peers are started by that small C program too and not from here: what a spawn costs depends on the size of the
/// process that asks for it.
package final class HelperSubject: CreateSubject {
    /// How long one creation may take before the helper counts as hung.
    private static let patience: Int32 = 60_000

    package let name: String
    private let argv: [String]
    private var running: Running?

    private struct Running: ~Copyable {
        let process: Linux.Process
        /// A socket: a write to a helper that has ended is an error there, where a pipe would raise SIGPIPE.
        let conversation: OwnedFD
    }

    /// - Parameter argv: the helper's path and arguments.
    package init(name: String, argv: [String]) {
        self.name = name
        self.argv = argv
    }

    package nonisolated(nonsending) func prepare() async throws(BenchError) {
        let path = getenv("PATH").map { String(cString: $0) } ?? "/usr/sbin:/usr/bin:/sbin:/bin"
        do throws(Errno) {
            let (ours, theirs) = try DescriptorPair.socket(.stream).take()
            let far = OwnedFD(owning: theirs)
            let near = OwnedFD(owning: ours)
            let process = try Linux.Process.spawn(
                argv, environment: ["PATH=\(path)"], descriptors: [far.rawValue, far.rawValue, STDERR_FILENO])
            running = Running(process: process, conversation: near)
        } catch {
            throw .system(what: "starting \(argv.joined(separator: " "))", error)
        }
    }

    package nonisolated(nonsending) func create() async throws(BenchError) -> Int64 {
        guard running != nil else { throw .helper(subject: name, said: "it is not running") }
        let line: String
        do throws(Errno) {
            line = try ask()
        } catch {
            throw .system(what: "the conversation with \(name)", error)
        }
        guard let nanoseconds = Int64(line), nanoseconds > 0 else {
            throw .helper(subject: name, said: line.isEmpty ? "its process ended" : line)
        }
        return nanoseconds
    }

    package nonisolated(nonsending) func teardown() async {
        guard let helper = running.take() else { return }
        // The end of its input is the helper's sign to clean up and go.
        _ = shutdown(helper.conversation.rawValue, Int32(SHUT_RDWR))
        if (try? helper.process.wait(timeout: 10_000_000_000)) != nil { return }
        try? helper.process.signal(SIGKILL)
        _ = try? helper.process.wait(timeout: 10_000_000_000)
    }

    /// Sends a line and reads the answer up to its newline; empty when the helper is gone.
    private func ask() throws(Errno) -> String {
        guard let socket = running?.conversation.rawValue else { throw .notConnected }
        do throws(Errno) {
            _ = try systemCall { send(socket, "\n", 1, Int32(truncatingIfNeeded: MSG_NOSIGNAL)) }
        } catch .brokenPipe {
            return ""
        }
        var answer: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 64)
        while answer.last != UInt8(ascii: "\n"), answer.count < 256 {
            var ready = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
            if try systemCall({ poll(&ready, 1, Self.patience) }) == 0 { throw .timedOut }
            let count = try systemCall { recv(socket, &buffer, buffer.count, 0) }
            if count == 0 { return "" }
            answer.append(contentsOf: buffer[..<count])
        }
        return String(decoding: answer.dropLast(), as: UTF8.self)
    }
}
