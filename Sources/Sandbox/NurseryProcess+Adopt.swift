import Glibc
package import Linux
package import NurseryABI

/// A nursery that was there before.
extension NurseryProcess {
    /// Says hello and waits for the answer: nil from one that is stuck, or speaks another version.
    package static func greet(_ connection: borrowing OwnedFD, within milliseconds: Int32) -> hn_reply? {
        let fd = connection.rawValue
        var request = NurseryClient.request(HN_HELLO)
        var reply = hn_reply()
        var entry = pollfd(fd: fd, events: Int16(POLLIN), revents: 0)
        do throws(Errno) {
            _ = try withUnsafeBytes(of: &request) { (bytes) throws(Errno) in try Message.send(fd, bytes, wait: true) }
            guard try systemCall({ poll(&entry, 1, milliseconds) }) == 1 else { return nil }
            let (count, _) = try withUnsafeMutableBytes(of: &reply) { (bytes) throws(Errno) in
                try Message.receive(fd, into: bytes)
            }
            guard count == MemoryLayout<hn_reply>.size, reply.magic == UInt32(HN_MAGIC),
                reply.version == UInt16(HN_VERSION), reply.op == UInt16(HN_HELLO.rawValue), reply.error == 0
            else { return nil }
            return reply
        } catch {
            return nil
        }
    }

    /// Whether a process runs this program: the same bytes, whatever the file is called by now.
    package static func runs(_ executable: String, process: Int32) -> Bool {
        let limit = 16 << 20
        guard let installed = try? Files.read(executable, limit: limit),
            let running = try? Files.read("/proc/\(process)/exe", limit: limit)
        else { return false }
        return installed == running
    }

    /// The group that a nursery's service was given, relative to the mount point: also after an earlier hearthd has moved the
    /// nursery to a leaf in it.
    package static func home(of process: Int32) throws(Errno) -> String {
        let groups = try Files.readText("/proc/\(process)/cgroup").split(separator: "\n")
        guard let line = groups.first(where: { $0.hasPrefix("0::") }) else { throw .noSuchProcess }
        var parts = line.dropFirst(3).split(separator: "/")
        if parts.count >= 2, parts.last == "nursery", parts[parts.count - 2].hasPrefix("hearth-") {
            parts.removeLast(2)
        }
        return "/" + parts.joined(separator: "/")
    }
}
