import Glibc
import HearthClient
import Linux
import Wire

extension TestAgent {
    /// What is still there of an agent that has ended: nothing, if all is well.
    package func leftovers() throws -> [String] {
        var found: [String] = []
        // The nursery's own end and that of the last sandbox follow hearthd's by a moment when that was killed.
        try? eventually("the nursery ends", within: 30) { !Self.isAlive(nursery) }
        if Self.isAlive(nursery) { found.append("the nursery \(nursery) lives") }
        if Files.exists(cgroup) {
            found.append("the group \(cgroup) is there, with the processes \(Self.processes(below: cgroup))")
        }
        if Files.exists(socket) { found.append("the socket \(socket) is there") }
        for path in try Self.temporaryFiles(state) { found.append("\(path) is there") }
        for entry in try MountTable.current().entries where entry.mountPoint.hasPrefix(scratch.path + "/state/") {
            found.append("\(entry.mountPoint) is mounted")
        }
        let group = cgroup.split(separator: "/").last.map(String.init) ?? cgroup
        for name in try Files.list("/proc") where Int32(name) != nil {
            guard let line = try? Files.readText("/proc/\(name)/cgroup"), line.contains("/\(group)/") else { continue }
            if let pid = Int32(name), Self.isAlive(pid) { found.append("process \(name) of its group lives") }
        }
        return found
    }

    /// Not a zombie either: whoever must reap it is another matter.
    package static func isAlive(_ pid: Int32) -> Bool {
        guard let status = try? Files.readText("/proc/\(pid)/status") else { return false }
        return !status.contains("\nState:\tZ") && !status.contains("\nState:\tX")
    }

    /// Everything in a state directory that is there for a moment only.
    package static func temporaryFiles(_ state: String) throws -> [String] {
        var found = (try? Files.list(state).filter { $0.hasSuffix(".sock") })?.map { state + "/" + $0 } ?? []
        for store in ["code", "images"] {
            let staging = "\(state)/\(store)/.staging"
            if Files.exists(staging) { found += try Files.list(staging).map { staging + "/" + $0 } }
        }
        return found
    }

    /// The processes in a group and in those below it.
    package static func processes(below group: String) -> [Int32] {
        var found: [Int32] = []
        if let text = try? Files.readText(group + "/cgroup.procs") {
            found += text.split(separator: "\n").compactMap { Int32($0) }
        }
        for name in (try? Files.list(group)) ?? [] {
            var status = stat()
            let path = group + "/" + name
            if lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR { found += processes(below: path) }
        }
        return found
    }
}

/// Everything countable that a running agent holds on its node.
package struct NodeCount: Equatable, CustomStringConvertible, Sendable {
    package var processes: Int
    package var agentDescriptors: Int
    package var nurseryDescriptors: Int
    /// Groups with a process, and groups in all: some are made ahead.
    package var sandboxes: Int
    package var groups: Int
    package var mounts: Int
    package var agentMounts: Int
    package var codeTrees: Int
    package var images: Int
    package var temporaryFiles: Int

    package init(_ agent: TestAgent) throws {
        processes = TestAgent.processes(below: agent.cgroup).count
        agentDescriptors = try Files.list("/proc/\(agent.pid)/fd").count
        nurseryDescriptors = try Files.list("/proc/\(agent.nursery)/fd").count
        sandboxes = try agent.populatedGroups().count
        groups = try agent.groups().count
        mounts = try Self.mounts(agent.nursery)
        // hearthd sees the node's mounts, those of other suites too: its own would lie in its state.
        agentMounts = try Self.mounts(agent.pid, holding: agent.state)
        codeTrees = try Files.list(agent.state + "/code").count
        images = try Files.list(agent.state + "/images").count
        temporaryFiles = try TestAgent.temporaryFiles(agent.state).count
    }

    /// The count when nothing is being made ahead or taken away any more.
    package static func atRest(_ agent: TestAgent) throws -> NodeCount {
        var last = try NodeCount(agent)
        var since = now()
        try eventually("the agent comes to rest: \(last)") {
            let count = try NodeCount(agent)
            if count != last { (last, since) = (count, now()) }
            return now() - since > 150_000_000
        }
        return last
    }

    private static func mounts(_ pid: Int32, holding path: String? = nil) throws -> Int {
        try Files.readText("/proc/\(pid)/mountinfo", limit: 64 << 20).split(separator: "\n")
            .count { line in path.map { line.contains($0) } ?? true }
    }

    package var description: String {
        """
        processes \(processes), fds \(agentDescriptors) + \(nurseryDescriptors), sandboxes \(sandboxes) in \(groups) groups, mounts \(mounts) + \
        \(agentMounts), code \(codeTrees), images \(images), temporary files \(temporaryFiles)
        """
    }
}

extension TestAgent {
    /// The groups of the sandboxes, those that wait for one included.
    package func groups() throws -> [String] {
        try Files.list(cgroup + "/sandboxes").map { "\(cgroup)/sandboxes/\($0)" }.filter { path in
            var status = stat()
            return lstat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
        }
    }

    package func populatedGroups() throws -> [String] {
        try groups().filter { !Self.processes(below: $0).isEmpty }
    }

    /// The group of a sandbox that is there.
    package func group(of sandbox: String) throws -> String {
        guard let info = try client().listSandboxes().first(where: { $0.id == sandbox }) else {
            throw TestFailure("the agent has no sandbox \(sandbox)")
        }
        let line = try Files.readText("/proc/\(info.pid)/cgroup").split(separator: "\n").first { $0.hasPrefix("0::") }
        guard let name = line?.split(separator: "/").last else { throw TestFailure("PID 1 of \(sandbox) has no group") }
        return "\(cgroup)/sandboxes/\(name)"
    }

    /// Waits until the node is as it was counted before; the last count if it does not get so.
    package func settled(_ before: NodeCount, within seconds: Double = patience) throws -> NodeCount {
        try? eventually("the node is as before", within: seconds) { try NodeCount(self) == before }
        return try NodeCount(self)
    }
}
