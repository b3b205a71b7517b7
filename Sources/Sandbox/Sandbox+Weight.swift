import Linux

/// The share of the CPU that a sandbox gets: that of any other, or only what others leave.
extension Sandbox {
    /// Lets what runs inside have only the CPU time that nobody else wants, or its usual share again. May be asked before the
    /// sandbox is ready.
    ///
    /// With the cpu controller the group's weight is set (cpu.idle, before 5.15 cpu.weight). Without it the threads' own class is, and where
    /// the kernel groups tasks by session the weight of each program's session: what makes a session of its own later has the usual one.
    package func setBackground(_ background: Bool) {
        guard background != isBackground else { return }
        isBackground = background
        applyWeight()
    }

    /// Called again for what has been born since: a new session has a weight of its own.
    func applyWeight() {
        if hasCPUController { return setGroupWeight() }
        guard let processes = try? cgroup.read("cgroup.procs"), let threads = try? cgroup.read("cgroup.threads") else {
            return
        }
        // A thread that has ended meanwhile is no failure.
        for thread in numbers(threads) { try? Scheduling.setIdle(thread: thread, isBackground) }
        guard Self.sessionsAreGroups else { return }
        for process in numbers(processes) {
            try? Scheduling.setSessionNice(process: process, isBackground ? Self.backgroundNice : 0)
        }
    }

    /// A tenth of the usual weight: enough to get on at all where a machine is never idle, and little enough that a program which
    /// wakes up takes the CPU at once.
    private static let backgroundNice = 10
    private static let sessionsAreGroups = Scheduling.groupsBySession

    private func setGroupWeight() {
        if cgroup.has("cpu.idle") {
            try? cgroup.write(isBackground ? "1" : "0", to: "cpu.idle")
            // A group that stops being idle has the usual weight, not the one it had.
            if !isBackground, spec.limits.cpuWeight != 100 {
                try? cgroup.write(String(spec.limits.cpuWeight), to: "cpu.weight")
            }
        } else {
            try? cgroup.write(isBackground ? "1" : String(spec.limits.cpuWeight), to: "cpu.weight")
        }
    }

    private func numbers(_ text: String) -> [Int32] { text.split(separator: "\n").compactMap { Int32($0) } }
}
