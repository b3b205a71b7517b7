import CLinux
import Glibc
import Linux

/// Which processors a process may run on (sched_setaffinity(2)).
enum Affinity {
    /// Puts every thread of the processes and of all their descendants on these processors.
    static func pin(_ roots: [Int32], to processors: Range<Int>) {
        for pid in family(of: roots) {
            for thread in (try? Files.list("/proc/\(pid)/task")) ?? [] {
                if let thread = Int32(thread) { set(thread, processors) }
            }
        }
    }

    /// Processors that are there, as numbers from 0.
    static var all: Range<Int> { 0..<max(1, Int(sysconf(Int32(_SC_NPROCESSORS_CONF)))) }

    private static func set(_ thread: Int32, _ processors: Range<Int>) {
        // A thread that ended meanwhile has nothing to be pinned.
        _ = clx_set_processors(thread, Int32(processors.lowerBound), Int32(processors.count))
    }

    private static func family(of roots: [Int32]) -> Set<Int32> {
        let all = ProcessFacts.all()
        var family = Set(roots)
        var grew = true
        while grew {
            grew = false
            for process in all where family.contains(process.parent) && !family.contains(process.pid) {
                family.insert(process.pid)
                grew = true
            }
        }
        return family
    }
}
