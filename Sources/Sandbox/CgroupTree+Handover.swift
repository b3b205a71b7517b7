package import Linux

extension CgroupTree {
    /// What of a group its user needs: entering and dividing it, stopping and killing what is in it (cgroup-v2.rst, "Delegation").
    private static let controls = [
        "cgroup.procs", "cgroup.threads", "cgroup.subtree_control", "cgroup.freeze", "cgroup.kill", "memory.reclaim",
    ]

    /// Gives the groups of sandboxes to a user, those that exist and, since they are made by that user, those that follow. The
    /// tree's own limits and the groups above stay root's.
    package func handOver(to user: UserIDs) throws(SandboxError) {
        do throws(Errno) {
            for group in [path, path + "/sandboxes"] {
                let directory = try Files.openDirectory(group)
                for control in Self.controls where Files.exists(control, in: directory.rawValue) {
                    try Files.changeOwner(control, in: directory.rawValue, to: user)
                }
                try Files.changeOwner(group, to: user)
            }
            // Those of an earlier run, with their limits.
            for leaf in leaves() { try Files.changeOwnerOfTree(path + "/sandboxes/" + leaf, to: user) }
        } catch {
            throw .cgroup("giving \(path) to user \(user.uid)", error)
        }
    }
}
