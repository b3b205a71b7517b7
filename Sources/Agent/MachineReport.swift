import Glibc
import Linux
import Sandbox
import Wire

/// What the machine has of what the agent wants: found, what its lack costs, what to do.
enum MachineReport {
    static func findings(
        cgroups: CgroupTree, runtimes: RuntimeCatalog, pressureFile: String
    ) -> [HearthFinding] {
        [kernel()] + controllers(cgroups) + [
            file(
                "cgroup.kill", cgroups.path + "/sandboxes/cgroup.kill", cost: "sandboxes are killed process by process",
                remedy: "use kernel 5.14 or newer"),
            file(
                "cgroup.freeze", cgroups.path + "/sandboxes/cgroup.freeze", cost: "idle sandboxes cannot be frozen",
                remedy: "use kernel 5.2 or newer"),
            pressure(pressureFile), weight(cgroups),
            seccomp(), landlock(), deviceFilter(cgroups), userNamespaces(), identities(), descriptors(), swap(),
        ] + interpreters(runtimes)
    }

    private static func finding(
        _ id: String, _ status: HearthFindingStatus, _ found: String, cost: String = "", remedy: String = ""
    ) -> HearthFinding {
        var finding = HearthFinding()
        finding.id = id
        finding.status = status
        finding.found = found
        finding.cost = cost
        finding.remedy = remedy
        return finding
    }

    private static func kernel() -> HearthFinding {
        let release = (try? Files.readText("/proc/sys/kernel/osrelease"))?.prefix { $0 != "\n" } ?? "unknown"
        let numbers = release.split(separator: ".").prefix(2).compactMap { part in Int(part.prefix { $0.isNumber }) }
        let enough = numbers.count == 2 && (numbers[0], numbers[1]) >= (6, 1)
        return finding(
            "kernel", enough ? .ok : .warn, "Linux \(release)",
            cost: enough ? "" : "older than 6.1, which Hearth is tested on",
            remedy: enough ? "" : "use kernel 6.1 or newer")
    }

    private static func controllers(_ cgroups: CgroupTree) -> [HearthFinding] {
        let costs = [
            (
                "memory",
                "memory is limited for each process by RLIMIT_DATA, not for the sandbox; no OOM outcome; idle memory is not measured"
            ),
            ("pids", "processes are limited by RLIMIT_NPROC of the sandbox's own uid"),
            ("cpu", "no CPU limits and no idle weight for warm-ups"),
            ("io", "no I/O weight for warm-ups"),
        ]
        return costs.map { name, cost in
            if cgroups.controllers.contains(name) {
                return finding("cgroup.\(name)", .ok, "cgroup v2 controller \(name) in \(cgroups.path)")
            }
            return finding(
                "cgroup.\(name)", name == "io" ? .warn : .missing, "no cgroup v2 controller \(name)", cost: cost,
                remedy:
                    "boot with systemd.unified_cgroup_hierarchy=1 (or cgroup_no_v1=all), so that v2 has the controllers"
            )
        }
    }

    private static func file(_ id: String, _ path: String, cost: String, remedy: String) -> HearthFinding {
        Files.exists(path)
            ? finding(id, .ok, path) : finding(id, .missing, "no \(path)", cost: cost, remedy: remedy)
    }

    private static func pressure(_ path: String) -> HearthFinding {
        guard let error = MemoryPressureMonitor.probe(path) else {
            return finding("pressure", .ok, "triggers on \(path)")
        }
        return finding(
            "pressure", .warn, "\(path): \(error)",
            cost: "memory pressure is not noticed: idle sandboxes are ended for the budget only",
            remedy: "boot with psi=1, on a kernel with CONFIG_PSI; in a container, allow writing to it")
    }

    /// What makes a start that nobody waits for give way to requests.
    private static func weight(_ cgroups: CgroupTree) -> HearthFinding {
        if cgroups.hasCPU { return finding("cpu.background", .ok, "cpu.idle of the sandbox's group") }
        let remedy =
            "boot with systemd.unified_cgroup_hierarchy=1 (or cgroup_no_v1=all), so that v2 has the controller"
        // sched_setattr(2): another user's thread takes CAP_SYS_NICE.
        guard geteuid() == 0 else {
            return finding(
                "cpu.background", .missing, "no cpu controller, and no privilege to weigh another user's threads",
                cost: "warm-ups have the same share of the CPU as requests", remedy: remedy)
        }
        let sessions = Scheduling.groupsBySession
        return finding(
            "cpu.background", .warn,
            "no cpu controller: SCHED_IDLE for each thread"
                + (sessions ? ", and nice 10 for each session's autogroup" : ""),
            cost: "a warm-up that starts a session of its own runs at full weight", remedy: remedy)
    }

    private static func seccomp() -> HearthFinding {
        let actions = (try? Files.readText("/proc/sys/kernel/seccomp/actions_avail"))?.prefix { $0 != "\n" } ?? ""
        let ok = actions.contains("kill_process") && actions.contains("errno")
        return finding(
            "seccomp", ok ? .ok : .missing, ok ? "filters with \(actions)" : "no seccomp filters",
            cost: ok ? "" : "no sandbox can be made: the filter is not optional",
            remedy: ok ? "" : "use a kernel with CONFIG_SECCOMP_FILTER")
    }

    private static func landlock() -> HearthFinding {
        let abi = Probes.landlockABI()
        return abi > 0
            ? finding("landlock", .ok, "Landlock ABI \(abi)")
            : finding(
                "landlock", .warn, "no Landlock", cost: "one layer less between a function and the file system",
                remedy: "boot with lsm=landlock,...")
    }

    private static func deviceFilter(_ cgroups: CgroupTree) -> HearthFinding {
        guard let error = cgroups.deviceFilterError else {
            return finding("devices", .ok, "a cgroup program refuses all but six devices and terminals")
        }
        return finding(
            "devices", .warn, "no cgroup device program: \(error)",
            cost: "one layer less between a function and a device node; its /dev still has six harmless ones",
            remedy: "start hearthd as root, on a kernel with CONFIG_CGROUP_BPF")
    }

    private static func userNamespaces() -> HearthFinding {
        let limit =
            (try? Files.readText("/proc/sys/user/max_user_namespaces")).flatMap { Int($0.prefix { $0.isNumber }) } ?? 0
        return finding(
            "namespaces.user", limit > 0 ? .ok : .missing, "at most \(limit) user namespaces",
            cost: limit > 0 ? "" : "no sandbox can be made", remedy: limit > 0 ? "" : "raise user.max_user_namespaces")
    }

    /// Somebody else's use of the ids that sandboxes get would undo their separation.
    private static func identities() -> HearthFinding {
        let first: UInt64 = 0x7000_0000
        let last = first + 4096 * 65536
        for path in ["/etc/subuid", "/etc/subgid"] {
            for line in ((try? Files.readText(path)) ?? "").split(separator: "\n") {
                let fields = line.split(separator: ":")
                guard fields.count == 3, let start = UInt64(fields[1]), let count = UInt64(fields[2]) else { continue }
                if start < last, start + count > first {
                    return finding(
                        "ids", .warn, "\(path): \(line)", cost: "the range overlaps the sandboxes' ids",
                        remedy: "give \(fields[0]) a range below \(first)")
                }
            }
        }
        return finding("ids", .ok, "ids \(first) to \(last - 1) are for sandboxes alone")
    }

    private static func descriptors() -> HearthFinding {
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(7), &limit)
        let enough = limit.rlim_cur >= 16384
        return finding(
            "descriptors", enough ? .ok : .warn, "\(limit.rlim_cur) descriptors",
            cost: enough ? "" : "about \(limit.rlim_cur / 8) sandboxes at once",
            remedy: enough ? "" : "raise LimitNOFILE of hearthd")
    }

    private static func swap() -> HearthFinding {
        let lines = ((try? Files.readText("/proc/swaps")) ?? "").split(separator: "\n").count
        return lines > 1
            ? finding(
                "swap", .warn, "swap is on", cost: "none for sandboxes (their swap is 0); the agent itself may be slow",
                remedy: "give hearthd MemorySwapMax=0")
            : finding("swap", .ok, "no swap")
    }

    private static func interpreters(_ runtimes: RuntimeCatalog) -> [HearthFinding] {
        ["python", "node"].map { name in
            guard let runtime = try? runtimes.runtime(name) else {
                return finding(
                    "runtime.\(name)", .missing, "no bootstrap", cost: "functions of this runtime cannot run",
                    remedy: "install Hearth's runtimes beside the agent")
            }
            guard let program = runtime.argv.first, Files.exists(program) else {
                return finding(
                    "runtime.\(name)", .missing, "no \(runtime.argv.first ?? name) on this node",
                    cost: "functions of this runtime cannot run in the image 'host'",
                    remedy: name == "node" ? "apt-get install nodejs" : "apt-get install python3")
            }
            return finding("runtime.\(name)", .ok, program)
        }
    }
}
