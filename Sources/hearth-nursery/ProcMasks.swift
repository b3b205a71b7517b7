import CNursery
import NurseryABI

/// Files of /proc that tell of the node and not of the sandbox. The whole of a sandbox's procfs is read-only, so masks are for what
/// may be read: keys of others, the kernel's addresses, devices and what they do (a clock of the neighbours' work). What
/// Docker masks beside these (kcore, timer_list, kmsg) belongs to the node's root alone, whom no sandbox can be.
struct ProcMasks {
    private static var files: [6 of StaticString] {
        ["keys", "key-users", "kallsyms", "interrupts", "sched_debug", "latency_stats"]
    }
    private static var directories: [3 of StaticString] { ["acpi", "asound", "scsi"] }

    /// A bit for each that this kernel has, files first.
    private let present: UInt32

    /// Looks once, in the nursery's own /proc: the kernel shows the same names in each.
    static func probe() -> ProcMasks {
        var present: UInt32 = 0
        let proc = cn_openat(CN_AT_FDCWD, path("/proc"), Int32(CN_O_PATH), 0)
        guard proc >= 0 else { return ProcMasks(present: 0) }
        let directory = FD(Int32(proc))
        for bit in 0..<9 {
            let name = bit < 6 ? files[bit] : directories[bit - 6]
            let fd = cn_openat(directory.raw, path(name), Int32(CN_O_PATH), 0)
            guard fd >= 0 else { continue }
            _ = cn_close(Int32(fd))
            present |= 1 << UInt32(bit)
        }
        return ProcMasks(present: present)
    }

    /// Covers them in a procfs that was just made, so no name in it can have been replaced.
    ///
    /// - Parameter root: the image's, whose /dev is the nursery's own.
    func apply(to proc: Int32, root: Int32) throws(Failure) {
        guard present != 0 else { return }
        let null = FD(try check(cn_openat2(root, path("dev/null"), CN_O_PATH, CN_RESOLVE_STRICT), HN_STAGE_MASK))
        // A mask that is something else than the null device would be a file of somebody's choice in its place (CVE-2025-31133).
        guard cn_is_null_device(null.raw) != 0 else { throw Failure(CN_EINVAL, HN_STAGE_MASK) }
        let empty = FD(try check(cn_openat2(root, path("dev/shm"), CN_O_PATH, CN_RESOLVE_STRICT), HN_STAGE_MASK))
        for bit in 0..<9 where present & (1 << UInt32(bit)) != 0 {
            let source = bit < 6 ? null.raw : empty.raw
            let mask = FD(
                try check(cn_open_tree(source, path(""), CN_OPEN_TREE_CLONE | CN_AT_EMPTY_PATH), HN_STAGE_MASK))
            let name = bit < 6 ? Self.files[bit] : Self.directories[bit - 6]
            try check(cn_move_mount(mask.raw, proc, path(name)), HN_STAGE_MASK)
        }
    }
}
