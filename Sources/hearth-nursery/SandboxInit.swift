import CNursery
import NurseryABI

/// PID 1 of a sandbox, from its first instruction to its readiness. It goes on in the nursery's image, without exec.
///
/// The order matters and each step says why it stands where it does. A step that fails is reported to hearthd with its
/// stage, and ends the sandbox.
enum SandboxInit {
    static let control: Int32 = Nursery.childSocket

    static func run(
        _ plan: BirthPlan, _ kernel: KernelFeatures, gate: borrowing BirthGate, generation: UInt32
    ) -> Never {
        do throws(Failure) {
            let server = try prepare(plan, kernel, gate: gate, generation: generation)
            Fault.reach(HN_FAULT_SIGNALS, plan)
            // On a stack of its own: the nursery's frames and the birth's would stay with each PID 1, 16 KiB of them.
            guard let state = cn_service_state(MemoryLayout<InitServer>.size) else {
                throw Failure(CN_ENOMEM, HN_STAGE_MEMORY)
            }
            state.initializeMemory(as: InitServer.self, repeating: server, count: 1)
            cn_serve { state in
                guard let state else { cn_exit(1) }
                cn_leave_birth_stack()
                state.assumingMemoryBound(to: InitServer.self).pointee.run()
            }
        } catch {
            InitServer.reportFailure(error, of: HP_READY, cookie: 0)
            cn_exit(1)
        }
    }

    private static func prepare(
        _ plan: BirthPlan, _ kernel: KernelFeatures, gate: borrowing BirthGate, generation: UInt32
    ) throws(Failure) -> InitServer {
        // 1. Die with the nursery. Armed before anything can block; the credentials' change below clears it again.
        try check(cn_prctl(PR_SET_PDEATHSIG, UInt(CN_SIGKILL)), HN_STAGE_PARENT)
        Fault.reach(HN_FAULT_ARMED, plan)

        // 2. Our own descriptor table, holding only 0-2, the listener and the three made for us: no other sandbox's socket
        //    is ever visible here (CVE-2024-21626 was such a leak).
        try check(
            cn_close_range(UInt32(Nursery.childParent) + 1, ~0, CN_CLOSE_RANGE_UNSHARE), HN_STAGE_DESCRIPTORS)
        _ = cn_close(Nursery.listener)
        Fault.reach(HN_FAULT_DESCRIPTORS, plan)
        gate.separated(generation)

        // 3. A session of our own: no controlling terminal to push characters into (TIOCSTI, CVE-2017-5226).
        _ = cn_setsid()
        Fault.reach(HN_FAULT_SESSION, plan)

        // 4. The cgroup namespace only now: clone3 makes namespaces before it enters the group, so CLONE_NEWCGROUP there
        //    would show the nursery's group as the root. No time namespace: it hides nothing without an offset, and an offset would
        //    only hide how long the node has been up, while every time that PID 1 reports had to be translated.
        try check(cn_unshare(CN_CLONE_NEWCGROUP), HN_STAGE_CGROUP_NAMESPACE)
        Fault.reach(HN_FAULT_CGROUP, plan)

        // 5. The image becomes visible. Until the ids are mapped nothing is created in it.
        let root = Nursery.childRoot
        try check(cn_move_mount(root, CN_AT_FDCWD, path("/new")), HN_STAGE_ROOT)
        Fault.reach(HN_FAULT_ROOT, plan)
        try mountProc(root, kernel.masks)
        Fault.reach(HN_FAULT_PROC, plan)

        // 6. The ids are mapped: become root of this user namespace, which is an ordinary, otherwise unused uid outside.
        //    Supplementary groups first, while CAP_SETGID is certain (CVE-2018-15664-class: parents' groups that persist).
        guard gate.waitOpen(generation, parent: Nursery.childParent) else {
            throw Failure(CN_ETIMEDOUT, HN_STAGE_PARENT)
        }
        gate.unmap()
        try check(cn_setgroups_none(), HN_STAGE_CREDENTIALS)
        try check(cn_setresgid(0), HN_STAGE_CREDENTIALS)
        try check(cn_setresuid(0), HN_STAGE_CREDENTIALS)
        //    No user namespace inside this one, whatever the filter says: most kernel exploits of the last years begin with one
        //    (CVE-2022-0185, CVE-2024-1086). The limit is that of the namespace which writes it, and only now is it ours.
        try forbidNesting()
        Fault.reach(HN_FAULT_CREDENTIALS, plan)
        // 7. Changing ids cleared PDEATHSIG and may have set us dumpable by other rules: again, and then look whether the
        //    nursery died in between.
        try check(cn_prctl(PR_SET_PDEATHSIG, UInt(CN_SIGKILL)), HN_STAGE_PARENT)
        try check(cn_prctl(PR_SET_DUMPABLE, 0), HN_STAGE_CREDENTIALS)
        var parent = cn_pollfd(fd: Nursery.childParent, events: Int16(CN_EPOLLIN), revents: 0)
        if cn_poll(&parent, 1, 0) != 0 { throw Failure(CN_ESRCH, HN_STAGE_PARENT) }
        _ = cn_close(Nursery.childParent)
        Fault.reach(HN_FAULT_REARMED, plan)

        // 8. Writable places, of bounded size, owned by our root; and Landlock's word for each, for the programs to come.
        let rules = try kernel.landlock.ruleset()
        try rules.allowReading(beneath: root)
        try mountScratch(
            root, path("tmp"), bytes: plan.tmpBytes, inodes: UInt64(plan.tmpInodes), rules, HN_STAGE_TMP)
        try mountScratch(root, path("dev/shm"), bytes: plan.shmBytes, inodes: 1024, rules, HN_STAGE_SHM)
        if plan.devpts { try mountDevpts(root) }
        let devices = FD(try check(cn_openat2(root, path("dev"), CN_O_PATH, CN_RESOLVE_STRICT), HN_STAGE_LANDLOCK))
        try rules.allowDevices(beneath: devices.raw)
        Fault.reach(HN_FAULT_SCRATCH, plan)

        // 9. The old root goes: a chroot alone would leave the host's procfs reachable.
        try check(cn_fchdir(root), HN_STAGE_PIVOT)
        _ = cn_close(root)
        try MountNamespaces.pivotHere()
        Fault.reach(HN_FAULT_PIVOT, plan)

        // 10. A name, and a keyring of our own: the nursery's may hold keys that belong to others.
        let length = plan.hostname.count
        if length > 0 {
            try plan.hostname.withPath { (name) throws(Failure) in
                _ = try check(cn_sethostname(name, length), HN_STAGE_HOSTNAME)
            }
        }
        let keyring = cn_join_session_keyring()
        // EDQUOT or no CONFIG_KEYS: without keys of its own there is nothing to leak either, since keyctl is denied below.
        if keyring < 0, keyring != -Int(CN_ENOSYS) { try check(keyring, HN_STAGE_KEYRING) }

        Fault.reach(HN_FAULT_KEYRING, plan)
        // 11. What children may ever have: the bounding set, and securebits that stop root's ids from granting anything.
        try Capabilities.limit(to: plan.capabilities)
        try check(cn_prctl(PR_SET_NO_NEW_PRIVS, 1), HN_STAGE_CAPABILITIES)
        try Capabilities.keepForService(plan.capabilities)
        Fault.reach(HN_FAULT_CAPABILITIES, plan)

        let signals = try check(cn_child_signals(), HN_STAGE_SIGNALS)
        return InitServer(signals: signals, rules: rules, capabilities: plan.capabilities)
    }

    /// A fresh procfs: it shows this PID namespace only, and of that only what the reader may trace: PID 1's own command line names
    /// the node's directories. Read-only as a whole, so that core_pattern, sysrq-trigger and every sysctl answer EROFS to whoever
    /// asks (CVE-2025-52881 was a write that went to the wrong one of them).
    private static func mountProc(_ root: Int32, _ masks: ProcMasks) throws(Failure) {
        let context = FD(try check(cn_fsopen(path("proc")), HN_STAGE_PROC))
        try check(cn_fs_string(context.raw, path("hidepid"), path("invisible")), HN_STAGE_PROC)
        try check(cn_fs_create(context.raw), HN_STAGE_PROC)
        let attributes = CN_ATTR_RDONLY | CN_ATTR_NOSUID | CN_ATTR_NODEV | CN_ATTR_NOEXEC
        let mount = FD(try check(cn_fsmount(context.raw, attributes), HN_STAGE_PROC))
        try attach(mount, root, path("proc"), HN_STAGE_PROC)
        try masks.apply(to: mount.raw, root: root)
    }

    private static func forbidNesting() throws(Failure) {
        let limit = FD(
            try check(
                cn_openat(CN_AT_FDCWD, path("/proc/sys/user/max_user_namespaces"), CN_O_WRONLY, 0), HN_STAGE_NESTING))
        try check(cn_write(limit.raw, path("0"), 1), HN_STAGE_NESTING)
    }

    private static func mountScratch(
        _ root: Int32, _ target: cn_path, bytes: UInt64, inodes: UInt64, _ rules: Landlock.Ruleset, _ stage: hn_stage
    ) throws(Failure) {
        var size = ShortText()
        size.append(bytes)
        var files = ShortText()
        files.append(inodes)
        let mount = FD(
            try size.withPath { (size) throws(Failure) in
                try files.withPath { (files) throws(Failure) in
                    try MountNamespaces.tmpfs(
                        size: size, mode: path("1777"), inodes: files,
                        attributes: CN_ATTR_NOSUID | CN_ATTR_NODEV
                    ).release()
                }
            })
        try attach(mount, root, target, stage)
        try rules.allowScratch(beneath: mount.raw)
    }

    private static func mountDevpts(_ root: Int32) throws(Failure) {
        let context = FD(try check(cn_fsopen(path("devpts")), HN_STAGE_DEVPTS))
        try check(cn_fs_string(context.raw, path("mode"), path("0620")), HN_STAGE_DEVPTS)
        try check(cn_fs_string(context.raw, path("ptmxmode"), path("0666")), HN_STAGE_DEVPTS)
        try check(cn_fs_create(context.raw), HN_STAGE_DEVPTS)
        let mount = FD(
            try check(cn_fsmount(context.raw, CN_ATTR_NOSUID | CN_ATTR_NOEXEC), HN_STAGE_DEVPTS))
        try attach(mount, root, path("dev/pts"), HN_STAGE_DEVPTS)
    }

    /// Attaches beneath the new root without following any link on the way: the image is not trusted.
    private static func attach(
        _ mount: borrowing FD, _ root: Int32, _ target: cn_path, _ stage: hn_stage
    ) throws(Failure) {
        let place = FD(
            try check(
                cn_openat2(root, target, CN_O_PATH | CN_O_DIRECTORY, CN_RESOLVE_STRICT), stage))
        try check(cn_move_mount(mount.raw, place.raw, path("")), stage)
    }
}
