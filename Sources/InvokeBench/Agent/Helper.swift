package import CreateBench
import Glibc
import Linux

/// A C program beside us, with our end of a socket as its stdin and stdout.
package final class Helper {
    private let process: Linux.Process
    private let socket: SharedFD
    private let name: String

    package var pid: Int32 { process.pid }

    package init(_ argv: [String]) throws(BenchError) {
        let name = argv.joined(separator: " ")
        let path = getenv("PATH").map { String(cString: $0) } ?? "/usr/sbin:/usr/bin:/sbin:/bin"
        func about<Result: ~Copyable>(_ body: () throws(Errno) -> Result) throws(BenchError) -> Result {
            do throws(Errno) { return try body() } catch { throw .system(what: "starting \(name)", error) }
        }
        let pair = try about { () throws(Errno) in try DescriptorPair.socket(.stream) }
        let (ours, theirs) = pair.take()
        let far = SharedFD(owning: theirs)
        let near = SharedFD(owning: ours)
        let process = try about { () throws(Errno) in
            try Linux.Process.spawn(
                argv, environment: ["PATH=\(path)"], descriptors: [far.rawValue, far.rawValue, STDERR_FILENO])
        }
        self.name = name
        socket = near
        self.process = process
    }

    /// Sends a line (none when nil) and reads one.
    package func ask(_ line: String?) throws(BenchError) -> String {
        let answer: String
        do throws(Errno) {
            if let line { _ = try Message.send(socket.rawValue, Array((line + "\n").utf8), wait: true) }
            answer = try readLine()
        } catch {
            throw .system(what: "the conversation with \(name)", error)
        }
        if answer.isEmpty { throw .helper(subject: name, said: "its process ended") }
        return answer
    }

    private func readLine() throws(Errno) -> String {
        var answer: [UInt8] = []
        var byte: UInt8 = 0
        while answer.count < 4096 {
            var ready = pollfd(fd: socket.rawValue, events: Int16(POLLIN), revents: 0)
            if try systemCall({ poll(&ready, 1, 120_000) }) == 0 { throw .timedOut }
            let count = try withUnsafeMutableBytes(of: &byte) { (one) throws(Errno) in
                try Message.read(socket.rawValue, into: one)
            }
            if count == 0 || byte == UInt8(ascii: "\n") { break }
            answer.append(byte)
        }
        return String(decoding: answer, as: UTF8.self)
    }

    /// The end of its input is the helper's sign to clean up and go; one that only knows signals gets SIGTERM.
    package func stop(signal: Bool = false) {
        _ = shutdown(socket.rawValue, Int32(SHUT_RDWR))
        if signal { try? process.signal(SIGTERM) }
        if (try? process.wait(timeout: 60_000_000_000)) ?? nil != nil { return }
        try? process.signal(SIGKILL)
        _ = try? process.wait(timeout: 10_000_000_000)
    }
}
