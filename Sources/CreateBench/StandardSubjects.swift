import Glibc
import Linux

/// The subjects that every machine can have: the floor in its variants, and the peers where they are installed.
package struct StandardSubjects: Sendable {
    /// In the order of a report.
    package static let names = ["floor", "floor.netns", "exec", "bwrap", "crun", "runc"]

    private let floor: String
    private let stamp: String

    /// - Parameter directory: where hearth-floor and hearth-stamp are; the default is beside the running program.
    /// - Throws: `missing` without them.
    package init(directory: String? = nil) throws(BenchError) {
        let place = directory ?? Self.ownDirectory()
        floor = place + "/hearth-floor"
        stamp = place + "/hearth-stamp"
        for path in [floor, stamp] where access(path, X_OK) != 0 {
            throw .missing(program: path, remedy: "build it: make build")
        }
    }

    /// - Throws: `missing` for a peer that is not installed and for a name that is none of `names`.
    package func subject(named name: String) throws(BenchError) -> any CreateSubject {
        switch name {
        case "floor":
            return HelperSubject(name: name, argv: [floor, "serve", "--binary", stamp])
        case "floor.netns":
            return HelperSubject(name: name, argv: [floor, "serve", "--binary", stamp, "--netns", "premade"])
        case "exec":
            return HelperSubject(name: name, argv: [floor, "spawn", "--", stamp])
        case "bwrap":
            return HelperSubject(name: name, argv: [floor, "spawn", "--"] + bubblewrap(try Self.find(name)))
        case "crun", "runc":
            return OCISubject(name: name, runtime: try Self.find(name), floor: floor, program: stamp)
        default:
            throw .missing(
                program: "a subject named \(name)", remedy: "known are \(Self.names.joined(separator: ", "))")
        }
    }

    /// The subjects of a list such as `--against floor,bwrap,crun,runc`; one that is not installed is told about and
    /// left out.
    package func subjects(named names: [String], note: CreateBenchmark.Note) -> [any CreateSubject] {
        names.compactMap { name in
            do throws(BenchError) {
                return try subject(named: name)
            } catch {
                note(name, error.description)
                return nil
            }
        }
    }

    /// The floor's isolation in bubblewrap's words, but for the seccomp filter and with a single user id mapped: both
    /// to its advantage.
    private func bubblewrap(_ program: String) -> [String] {
        [
            program, "--unshare-all", "--ro-bind", "/usr", "/usr", "--symlink", "usr/bin", "/bin",
            "--symlink", "usr/sbin", "/sbin", "--symlink", "usr/lib", "/lib", "--symlink", "usr/lib64", "/lib64",
            "--ro-bind", stamp, "/app/program", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp",
            "--tmpfs", "/dev/shm", "--cap-drop", "ALL", "--hostname", "sandbox", "--clearenv", "--new-session",
            "--die-with-parent", "/app/program",
        ]
    }

    /// The first executable of that name in PATH and the directories for administration.
    static func find(_ name: String) throws(BenchError) -> String {
        let path = getenv("PATH").map { String(cString: $0) } ?? ""
        for directory in path.split(separator: ":") + ["/usr/sbin", "/usr/bin", "/sbin", "/bin"] {
            let candidate = "\(directory)/\(name)"
            if access(candidate, X_OK) == 0 { return candidate }
        }
        throw .missing(program: name, remedy: "install it (make deps) or leave it out of --against")
    }

    private static func ownDirectory() -> String {
        var buffer = [CChar](repeating: 0, count: 4096)
        let count = readlink("/proc/self/exe", &buffer, buffer.count)
        let path = String(decoding: buffer.prefix(max(count, 0)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
    }
}
