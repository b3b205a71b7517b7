import Glibc
import Linux

/// The posture of a process as the node's kernel has it, in a form that is the same on every machine: what a golden file holds.
///
/// After gVisor's test/sandboxposture: read from outside, since inside is what must not be believed.
enum Posture {
    private static let namespaces = ["user", "pid", "mnt", "net", "ipc", "uts", "cgroup", "time"]
    private static let statusFields = [
        "Groups", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp", "Seccomp_filters",
        "TracerPid",
    ]
    /// Those that Hearth sets; the others are the node's.
    private static let limits = [
        "Max core file size", "Max locked memory", "Max open files", "Max pending signals", "Max msgqueue size",
        "Max nice priority", "Max realtime priority", "Max processes",
    ]

    /// All of a sandbox: PID 1 first, then each kind of process once.
    static func report(initial: Int32, group: String) throws(Errno) -> String {
        var sections = ["[PID 1]\n" + (try describe(initial, initial: initial))]
        let others = try Files.readText(group + "/cgroup.procs").split(separator: "\n").compactMap { Int32($0) }
            .filter { $0 != initial }
        var seen: Set<String> = []
        for pid in others.sorted() {
            let text = try describe(pid, initial: initial)
            if seen.insert(text).inserted { sections.append("[program]\n" + text) }
        }
        sections.append("[mounts]\n" + (try mounts(of: initial)))
        return sections.joined(separator: "\n")
    }

    private static func describe(_ pid: Int32, initial: Int32) throws(Errno) -> String {
        let base = try firstID(of: pid)
        var lines = try credentials("/proc/\(pid)/status", base)
        // A thread that kept a privilege would be the way back to it.
        for thread in try Files.list("/proc/\(pid)/task") {
            let own = try credentials("/proc/\(pid)/task/\(thread)/status", base)
            if own != lines { lines += ["thread unlike its process:"] + own }
        }
        for kind in namespaces {
            let own = link("/proc/\(pid)/ns/\(kind)")
            let place =
                own == link("/proc/self/ns/\(kind)")
                ? "the node's" : own == link("/proc/\(initial)/ns/\(kind)") ? "the sandbox's" : "its own"
            lines.append("namespace \(kind): \(own == nil ? "the node's" : place)")
        }
        for map in ["uid_map", "gid_map"] {
            let words = try Files.readText("/proc/\(pid)/\(map)").split(whereSeparator: \.isWhitespace)
            lines.append("\(map): \(words.first ?? "") -> first of the slot, \(words.last ?? "")")
        }
        if base < 0x7000_0000 || (base - 0x7000_0000) % 65536 != 0 {
            lines.append("ids outside of every slot: \(base)")
        }
        lines.append("session: " + (try session(of: pid, initial: initial)))
        // proc(5): what of a process is not dumpable belongs to root there, so that nobody of its own user may look into it.
        lines.append("dumpable: " + (try Files.owner("/proc/\(pid)/fd") == 0 ? "no" : "yes"))
        lines.append("descriptors: " + (try descriptors(of: pid, initial: initial)).joined(separator: ", "))
        if pid != initial { lines += try resourceLimits(of: pid) }
        return lines.joined(separator: "\n") + "\n"
    }

    /// Whose it is decides who may type into its terminal, and how far a signal to the group goes.
    private static func session(of pid: Int32, initial: Int32) throws(Errno) -> String {
        // Behind the name, which may hold anything: state, parent, group, session.
        let fields = try Files.readText("/proc/\(pid)/stat").split(separator: ")").last?.split(separator: " ") ?? []
        switch fields.count > 3 ? Int32(fields[3]) : nil {
        case pid: return "its own"
        case initial: return "PID 1's"
        case 0?, nil: return "the node's"
        default: return "another program's"
        }
    }

    private static func firstID(of pid: Int32) throws(Errno) -> UInt64 {
        let words = try Files.readText("/proc/\(pid)/uid_map").split(whereSeparator: \.isWhitespace)
        return words.count == 3 ? UInt64(words[1]) ?? 0 : 0
    }

    private static func credentials(_ file: String, _ base: UInt64) throws(Errno) -> [String] {
        var lines: [String] = []
        for line in try Files.readText(file).split(separator: "\n") {
            let parts = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2 else { continue }
            let name = String(parts[0])
            let words = parts[1].split(whereSeparator: \.isWhitespace)
            if name == "Uid" || name == "Gid" {
                let ids = words.map { word in UInt64(word).map { String(Int64($0) - Int64(base)) } ?? "?" }
                lines.append("\(name) in the slot: \(ids.joined(separator: " "))")
            } else if statusFields.contains(name) {
                lines.append("\(name): \(words.joined(separator: " "))")
            }
        }
        return lines
    }

    /// What kinds of files are open. How many of a kind is the runtime's own business; which kinds is not.
    private static func descriptors(of pid: Int32, initial: Int32) throws(Errno) -> [String] {
        var kinds: Set<String> = []
        for name in try Files.list("/proc/\(pid)/fd") {
            guard let target = link("/proc/\(pid)/fd/\(name)") else { continue }
            // The nursery's log, and what a kernel may or may not have (`landlockIsOn` looks at what that does).
            if pid == initial, name == "2" || target == "anon_inode:[landlock-ruleset]" { continue }
            let kind = target.split(separator: ":").first.map(String.init) ?? target
            let anonymous = ["anon_inode", "socket", "pipe"].contains(kind)
            kinds.insert(
                kind == "anon_inode"
                    ? target : anonymous ? kind : target.hasPrefix("/memfd:") ? "memory file" : plain(target))
        }
        return kinds.sorted()
    }

    /// Paths of an interpreter's own files differ from machine to machine.
    private static func plain(_ path: String) -> String {
        path.hasPrefix("/usr/") || path.hasPrefix("/opt/hearth/") ? "a file of the image" : path
    }

    private static func resourceLimits(of pid: Int32) throws(Errno) -> [String] {
        let text = try Files.readText("/proc/\(pid)/limits")
        return limits.compactMap { name in
            guard let line = text.split(separator: "\n").first(where: { $0.hasPrefix(name) }) else { return nil }
            let values = line.dropFirst(name.count).split(whereSeparator: \.isWhitespace)
            return "\(name): \(values.prefix(2).joined(separator: " "))"
        }
    }

    /// Mount points with what may be done in them. The node's own file systems have any name; below /usr there may be more of them.
    private static func mounts(of pid: Int32) throws(Errno) -> String {
        let interesting: Set<Substring> = ["ro", "rw", "nosuid", "nodev", "noexec"]
        let text = try Files.readText("/proc/\(pid)/mountinfo")
        // In no order: the code's mount may be made before the sandbox's own, or after.
        var lines: Set<String> = []
        for entry in MountTable(parsing: text).entries {
            let options = entry.options.filter(interesting.contains).joined(separator: ",")
            let own = ["tmpfs", "proc", "devpts"].contains(entry.fileSystem)
            var place = entry.mountPoint
            if place.hasPrefix("/usr/") { place = "/usr" }
            if place.hasPrefix("/proc/") { place = "/proc/(masked)" }
            lines.insert("\(place) \(own ? entry.fileSystem : "of the node") \(options)")
        }
        if text.contains("shared:") || text.contains("master:") {
            lines.insert("propagation to or from another place")
        }
        return lines.sorted().joined(separator: "\n") + "\n"
    }

    static func link(_ path: String) -> String? {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = readlink(path, &buffer, 4096)
        return count < 0 ? nil : String(decoding: buffer[..<count], as: UTF8.self)
    }

    /// The v2 group of a process.
    static func group(of pid: Int32) throws(Errno) -> String {
        let line = try Files.readText("/proc/\(pid)/cgroup").split(separator: "\n").first { $0.hasPrefix("0::") }
        return (try Cgroup.mountPoint() ?? "") + (line?.dropFirst(3) ?? "")
    }
}
