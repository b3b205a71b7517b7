import CLinux
import Glibc
package import Linux

/// Hearth's own part of the cgroup v2 hierarchy: `agent`, `nursery`, and one group a sandbox below `sandboxes`.
package final class CgroupTree: Sendable {
    /// The tree's root, such as `/sys/fs/cgroup/hearth-1f2e3d4c`.
    package let path: String
    /// The controllers that sandboxes have: all of cpu, memory, pids and io on a v2 machine, none on a hybrid one.
    package let controllers: Set<String>
    /// Why sandboxes have no device filter beside their empty /dev; nil when they have one. It takes CAP_BPF at start.
    package let deviceFilterError: Errno?
    private let sandboxes: Cgroup
    private let nursery: Cgroup

    package var hasMemory: Bool { controllers.contains("memory") }
    package var hasPids: Bool { controllers.contains("pids") }
    package var hasCPU: Bool { controllers.contains("cpu") }
    package var nurseryDirectory: Int32 { nursery.directory.rawValue }

    /// Sets the tree up.
    /// - Parameters:
    ///   - instance: tells agents on one machine apart.
    ///   - parent: a group to live in, relative to the mount point; nil finds one.
    ///   - process: a nursery that is a service of its own: the group is that service's, and the nursery is what moves to a
    ///     leaf in it.
    package init(instance: String, parent: String? = nil, nursery process: Int32? = nil) throws(SandboxError) {
        let step = "setting up"
        do throws(Errno) {
            guard let mount = try Cgroup.mountPoint() else { throw Errno.noDevice }
            let home: String
            if let parent { home = parent } else { home = try Self.home() }
            let base = try Cgroup(opening: home == "/" ? mount : mount + home)
            let root = try base.child("hearth-" + instance)
            path = root.path
            // A delegated group may only be subdivided once no process is in it: the agent moves to a leaf of its own.
            let agent = try root.child("agent")
            let wanted: Set<String> = ["cpu", "memory", "pids", "io"]
            let available = Set(try base.availableControllers()).intersection(wanted)
            nursery = try root.child("nursery")
            if let process { try nursery.write(String(process), to: "cgroup.procs") }
            if !available.isEmpty {
                if home != "/", process == nil { try agent.write("0", to: "cgroup.procs") }
                Self.enable(available, in: base)
                Self.enable(available, in: root)
            }
            _ = consume agent
            sandboxes = try root.child("sandboxes")
            Self.enable(available, in: sandboxes)
            deviceFilterError = Self.filterDevices(of: sandboxes)
            let enabled = try sandboxes.read("cgroup.subtree_control")
            controllers = Set(enabled.split(whereSeparator: \.isWhitespace).map(String.init))
        } catch {
            throw .cgroup(
                error == .noDevice
                    ? "no cgroup v2 hierarchy is mounted; mount one with 'mount -t cgroup2 none /sys/fs/cgroup'" : step,
                error)
        }
    }

    /// A service has been given its own group to divide (Delegate=yes); elsewhere the hierarchy's root is divided.
    private static func home() throws(Errno) -> String {
        let own = try Cgroup.ownPath()
        guard own.hasSuffix(".service"), let mount = try Cgroup.mountPoint() else { return "/" }
        // Its own processes only: those of an earlier run's sandboxes are in groups below. None are left in it when this agent has
        // moved to its leaf before.
        let processes = try Files.readText(mount + own + "/cgroup.procs")
        return processes.split(separator: "\n").count <= 1 ? own : "/"
    }

    /// Once for all sandboxes, on their common group: no node that somehow came to be there opens (beside nodev mounts and mknod
    /// refused, which are what stands in the way first).
    private static func filterDevices(of group: borrowing Cgroup) -> Errno? {
        let directory = group.directory.rawValue
        do throws(Errno) {
            _ = try systemCall { clx_attach_device_filter(directory) }
            return nil
        } catch {
            return error
        }
    }

    /// One by one: a controller that cannot be had (io without a scheduler, cpu with real-time tasks) costs only itself.
    private static func enable(_ controllers: Set<String>, in group: borrowing Cgroup) {
        for name in controllers.sorted() { try? group.write("+" + name, to: "cgroup.subtree_control") }
    }

    /// The names of the groups below `sandboxes`.
    package func leaves() -> [String] {
        guard let names = try? Files.list(sandboxes.path) else { return [] }
        return names.filter { $0.hasPrefix("g") && !$0.contains(".") }
    }

    /// Ends a nursery that does not answer any more, and every sandbox by that (PDEATHSIG).
    package func killNursery() {
        // Not by cgroup.kill: a group that was ever killed kills whatever is born into it later (CLONE_INTO_CGROUP compares the
        // count of kills with that of the parent's group, kernel 6.18), and the next nursery is to be born here.
        for line in ((try? nursery.read("cgroup.procs")) ?? "").split(separator: "\n") {
            guard let pid = Int32(line), let process = try? Linux.Process(opening: pid) else { continue }
            try? process.signal(SIGKILL)
        }
        for _ in 0..<400 {
            if (try? nursery.isPopulated()) != true { break }
            usleep(5000)
        }
    }

    /// Kills and removes a leaf that nobody owns any more.
    package func sweep(_ name: String) {
        guard let leaf = try? Cgroup(opening: sandboxes.path + "/" + name) else { return }
        try? leaf.kill()
        for _ in 0..<200 {
            if (try? leaf.isPopulated()) != true { break }
            usleep(5000)
        }
        try? Cgroup.removeTree(leaf.path)
    }

    /// An empty group for one sandbox; its limits may follow later, before anything is born in it.
    func makeLeaf(_ name: String, limits: SandboxSpec.Limits? = nil) throws(SandboxError) -> Cgroup {
        let leaf: Cgroup
        do throws(Errno) {
            try Files.makeDirectory(name, in: sandboxes.directory.rawValue)
            leaf = try Cgroup(opening: sandboxes.path + "/" + name)
        } catch {
            throw .cgroup("making \(sandboxes.path)/\(name)", error)
        }
        if let limits { try limit(leaf, to: limits) }
        return leaf
    }

    /// Sets every limit: before anything is born in the group, and again when a function is bound.
    /// - Parameter isIdle: the group has idle weight, which may not be set beside another.
    func limit(_ leaf: borrowing Cgroup, to limits: SandboxSpec.Limits, isIdle: Bool = false) throws(SandboxError) {
        do throws(Errno) {
            try apply(limits, to: leaf, isIdle: isIdle)
        } catch {
            throw .cgroup("limiting \(leaf.path)", error)
        }
    }

    private func apply(
        _ limits: SandboxSpec.Limits, to leaf: borrowing Cgroup, isIdle: Bool
    ) throws(Errno) {
        if hasMemory {
            try leaf.write(String(limits.memory), to: "memory.max")
            // Without swap the limit is the limit, and a sandbox cannot push its neighbours' pages out. The file is
            // missing where the kernel has no swap at all.
            if leaf.has("memory.swap.max") { try leaf.write("0", to: "memory.swap.max") }
            // A function that lost one of its processes to the OOM killer is not worth keeping.
            try leaf.write("1", to: "memory.oom.group")
        }
        if hasPids { try leaf.write(String(limits.processes), to: "pids.max") }
        if hasCPU {
            if !isIdle { try leaf.write(String(limits.cpuWeight), to: "cpu.weight") }
            if limits.cpus > 0 {
                try leaf.write("\(max(1000, Int64(limits.cpus * 100_000))) 100000", to: "cpu.max")
            }
        }
    }

    /// Removes what is left of the tree; for an agent that ends and takes its sandboxes along. Blocks for two seconds at most:
    /// the last tasks of a group need a moment to leave it.
    package func remove() {
        for _ in 0..<200 {
            do throws(Errno) {
                return try Cgroup.removeTree(path)
            } catch .permissionDenied {
                // Its own directory lies in one of root's, after a handover; empty, it waits for the next start.
                return
            } catch {
                usleep(10_000)
            }
        }
    }
}
