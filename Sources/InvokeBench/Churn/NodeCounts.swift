import Glibc
import Linux

/// What an agent has taken of the node, for a comparison before and after.
struct NodeCounts {
    private let counts: [(what: String, count: Int, tolerance: Int)]

    init(_ agent: BenchAgent) {
        let nursery = agent.nurseryPid()
        let all = ProcessFacts.all()
        let sandboxes = all.filter { $0.parent == nursery }
        counts = [
            ("processes of sandboxes", sandboxes.count, 0),
            ("cgroups", Self.cgroups(), 0),
            ("descriptors of hearthd", ProcessFacts.openDescriptors(agent.pid), 4),
            // Its stock of network namespaces is somewhere between empty and full.
            ("descriptors of the nursery", nursery.map(ProcessFacts.openDescriptors) ?? 0, 66),
            ("mounts of the node", Self.lines("/proc/self/mountinfo"), 0),
            ("mounts of the nursery", nursery.map { Self.lines("/proc/\($0)/mountinfo") } ?? 0, 0),
            ("resident KiB of hearthd", Int(ProcessFacts.residentKiB(agent.pid) ?? 0), 16 << 10),
            // Its table of sandboxes becomes resident where a slot has been used, and slots are used in turn: at most the table.
            (
                "resident KiB of the nursery", nursery.flatMap { ProcessFacts.residentKiB($0) }.map(Int.init) ?? 0,
                1 << 10
            ),
        ]
    }

    /// What there is more of now than there was; empty when nothing leaked. Waits for the last cleaning.
    func leaks(_ agent: BenchAgent) -> [String] {
        var found: [String] = []
        for _ in 0..<50 {
            let now = NodeCounts(agent)
            found = zip(counts, now.counts).compactMap { before, after in
                after.count > before.count + before.tolerance
                    ? "\(before.what): \(before.count) before, \(after.count) after" : nil
            }
            if found.isEmpty { return [] }
            usleep(100_000)
        }
        return found
    }

    private static func lines(_ path: String) -> Int {
        ((try? Files.readText(path)) ?? "").split(separator: "\n").count
    }

    /// All groups of the v2 hierarchy.
    private static func cgroups() -> Int {
        guard let root = (try? Cgroup.mountPoint()) ?? nil else { return 0 }
        func count(_ path: String) -> Int {
            let names = (try? Files.list(path)) ?? []
            return names.reduce(into: 1) { sum, name in
                // Control files have a dot in their names, groups of hearthd do not begin with a controller's name.
                var status = stat()
                guard lstat(path + "/" + name, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else { return }
                sum += count(path + "/" + name)
            }
        }
        return count(root)
    }
}
