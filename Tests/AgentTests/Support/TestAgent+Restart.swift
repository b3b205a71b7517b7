import Glibc
import HearthClient
import Linux
package import Wire

extension TestAgent {
    /// The nursery that serves a state directory, whoever started it: its arguments name the directory.
    static func nursery(of state: String) throws -> Int32 {
        for name in try Files.list("/proc") {
            guard let candidate = Int32(name),
                let arguments = try? Files.readText("/proc/\(name)/cmdline").split(separator: "\0"),
                arguments.count > 1, arguments[0].hasSuffix("/hearth-nursery"), arguments[1] == state + "/images",
                isAlive(candidate)
            else { continue }
            return candidate
        }
        throw TestFailure("no nursery serves \(state)")
    }

    /// Kills hearthd alone and waits for its end.
    package func killAgent() throws {
        try signal(SIGKILL)
        _ = try waitForEnd()
    }

    /// The sandboxes that the agent lists, by their ids.
    package func sandboxes() throws -> [String: HearthSandboxInfo] {
        var found: [String: HearthSandboxInfo] = [:]
        for info in try client().listSandboxes() { found[info.id] = info }
        return found
    }

    /// Every group that a process is in, less those of the sandboxes that the agent knows.
    package func orphans() throws -> [String] {
        let known = try Set(sandboxes().values.map { $0.pid })
        return try populatedGroups().filter { group in
            known.isDisjoint(with: Self.processes(below: group))
        }
    }
}
