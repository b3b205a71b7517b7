import Glibc
import Linux

/// What /proc says of a process (proc(5)).
struct ProcessFacts {
    let pid: Int32
    let parent: Int32
    /// Empty for a kernel thread and for a process that is not ours to look at.
    let executable: String
    let commandLine: String

    init?(pid: Int32) {
        guard let status = try? Files.readText("/proc/\(pid)/status") else { return nil }
        self.pid = pid
        parent = Int32(Self.field("PPid:", of: status) ?? 0)
        var buffer = [CChar](repeating: 0, count: 4096)
        let count = readlink("/proc/\(pid)/exe", &buffer, 4095)
        executable = String(decoding: buffer.prefix(max(count, 0)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let arguments = (try? Files.read("/proc/\(pid)/cmdline")) ?? []
        commandLine = String(decoding: arguments.map { $0 == 0 ? UInt8(ascii: " ") : $0 }, as: UTF8.self)
    }

    static func all() -> [ProcessFacts] {
        ((try? Files.list("/proc")) ?? []).compactMap { Int32($0).flatMap(ProcessFacts.init(pid:)) }
    }

    /// Resident KiB, as the kernel counts them page by page: VmRSS of `status` is a sum of counters that lag behind by up to
    /// some tens of pages, which is more than PID 1 has. Nil when the process is gone.
    static func residentKiB(_ pid: Int32) -> Int64? { rollup(pid, "Rss:") }

    /// Of these, what is no file's page.
    static func ownKiB(_ pid: Int32) -> Int64? { rollup(pid, "Anonymous:") }

    private static func rollup(_ pid: Int32, _ name: String) -> Int64? {
        (try? Files.readText("/proc/\(pid)/smaps_rollup")).flatMap { field(name, of: $0) }
    }

    static func openDescriptors(_ pid: Int32) -> Int {
        ((try? Files.list("/proc/\(pid)/fd")) ?? []).count
    }

    /// Bytes per the line "MemAvailable:" of /proc/meminfo.
    static func memoryAvailable() -> Int64 {
        let text = (try? Files.readText("/proc/meminfo")) ?? ""
        return (field("MemAvailable:", of: text) ?? 0) * 1024
    }

    private static func field(_ name: String, of text: String) -> Int64? {
        for line in text.split(separator: "\n") where line.hasPrefix(name) {
            return line.dropFirst(name.count).split(whereSeparator: \.isWhitespace).first.flatMap { Int64($0) }
        }
        return nil
    }
}
