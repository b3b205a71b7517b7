import CNursery
import NurseryABI

/// The nursery's two mount namespaces.
///
/// A sandbox begins with a copy of the namespace it is cloned from, and copying costs time for every mount (Firecracker's
/// jailer measured tenfold creation times with 500 host mounts). So there is a *nest* with two mounts, which sandboxes are
/// cloned from, and a *library* with the images, where the nursery lives.
struct MountNamespaces: ~Copyable {
    let nest: FD
    let library: FD

    /// Directories of the host that the library shows; opened before the host's mounts are left behind.
    struct Sources: ~Copyable {
        let images: FD
        let code: FD
        let runtimes: FD
        let usr: FD
        let proc: FD

        static func open(images: cn_path, code: cn_path, runtimes: cn_path) throws(Failure) -> Sources {
            let images = try tree(images)
            let code = try tree(code)
            let runtimes = try tree(runtimes)
            let usr = try tree(path("/usr"), recursive: true)
            let proc = try tree(path("/proc"))
            return Sources(images: images, code: code, runtimes: runtimes, usr: usr, proc: proc)
        }

        private static func tree(_ source: cn_path, recursive: Bool = false) throws(Failure) -> FD {
            let flags = CN_OPEN_TREE_CLONE | (recursive ? CN_AT_RECURSIVE : 0)
            return FD(try check(cn_open_tree(CN_AT_FDCWD, source, flags), HN_STAGE_TREE))
        }
    }

    /// Leaves the host's mount namespace for good.
    static func build(from sources: consuming Sources) throws(Failure) -> MountNamespaces {
        try check(cn_unshare(CN_CLONE_NEWNS), HN_STAGE_ROOT)
        // Nothing mounted from here on may reach the host, nor the other way round.
        try check(cn_make_private(), HN_STAGE_ROOT)
        let root = try tmpfs(size: path("256k"), mode: path("0755"), attributes: CN_ATTR_NOSUID | CN_ATTR_NODEV)
        try check(cn_move_mount(root.raw, CN_AT_FDCWD, path("/tmp")), HN_STAGE_ROOT)
        try check(cn_chdir(path("/tmp")), HN_STAGE_ROOT)
        try check(cn_mkdir(path("proc"), 0o755), HN_STAGE_ROOT)
        try check(cn_mkdir(path("new"), 0o755), HN_STAGE_ROOT)
        // The kernel lets a user namespace mount procfs only where a whole one is visible already
        // (mount_too_revealing(), CVE-2014-class rule of fs/namespace.c).
        try check(cn_move_mount(sources.proc.raw, CN_AT_FDCWD, path("proc")), HN_STAGE_PROC)
        try Self.pivotHere()
        let nest = try own()

        try check(cn_unshare(CN_CLONE_NEWNS), HN_STAGE_ROOT)
        let names: [5 of StaticString] = ["/images", "/code", "/usr", "/runtimes", "/templates"]
        for index in names.indices { try check(cn_mkdir(path(names[index]), 0o755), HN_STAGE_ROOT) }
        try check(cn_mkdir(path("/dev"), 0o755), HN_STAGE_ROOT)
        let trees: [4 of Int32] = [sources.images.raw, sources.code.raw, sources.usr.raw, sources.runtimes.raw]
        for index in trees.indices {
            try check(cn_move_mount(trees[index], CN_AT_FDCWD, path(names[index])), HN_STAGE_ROOT)
        }
        try check(cn_make_private(), HN_STAGE_ROOT)
        try makeDevices()
        let library = try own()
        return MountNamespaces(nest: nest, library: library)
    }

    /// A descriptor of the current namespace, out of the places that children use.
    private static func own() throws(Failure) -> FD {
        try FD(try check(cn_openat(CN_AT_FDCWD, path("/proc/self/ns/mnt"), 0, 0), HN_STAGE_ROOT)).raised()
    }

    /// The namespace that the next clone copies.
    borrowing func enterNest() throws(Failure) {
        try check(cn_setns(nest.raw, CN_CLONE_NEWNS), HN_STAGE_ROOT)
    }

    borrowing func enterLibrary() throws(Failure) {
        try check(cn_setns(library.raw, CN_CLONE_NEWNS), HN_STAGE_ROOT)
    }

    /// Makes the current directory the root and lets the old root go.
    static func pivotHere() throws(Failure) {
        // With both arguments "." the old root ends up stacked on the new one: no put_old directory is needed
        // (pivot_root(2), NOTES), and it is what umount2 of "." then removes.
        try check(cn_pivot_root_here(), HN_STAGE_PIVOT)
        try check(cn_detach_here(), HN_STAGE_PIVOT)
        try check(cn_chdir(path("/")), HN_STAGE_PIVOT)
    }

    /// A detached tmpfs.
    static func tmpfs(size: cn_path, mode: cn_path, inodes: cn_path? = nil, attributes: UInt32) throws(Failure) -> FD {
        let context = FD(try check(cn_fsopen(path("tmpfs")), HN_STAGE_TMP))
        try check(cn_fs_string(context.raw, path("size"), size), HN_STAGE_TMP)
        try check(cn_fs_string(context.raw, path("mode"), mode), HN_STAGE_TMP)
        if let inodes { try check(cn_fs_string(context.raw, path("nr_inodes"), inodes), HN_STAGE_TMP) }
        try check(cn_fs_create(context.raw), HN_STAGE_TMP)
        return FD(try check(cn_fsmount(context.raw, attributes), HN_STAGE_TMP))
    }

    /// The one /dev of all sandboxes, mounted read-only into each. A device node needs the initial user namespace's
    /// CAP_MKNOD, so a sandbox could not make these; it gets no way to add others.
    private static func makeDevices() throws(Failure) {
        let tmpfs = try Self.tmpfs(
            size: path("64k"), mode: path("0755"), attributes: CN_ATTR_NOSUID | CN_ATTR_NOEXEC)
        try check(cn_move_mount(tmpfs.raw, CN_AT_FDCWD, path("/dev")), HN_STAGE_ROOT)
        let devices: [6 of (StaticString, UInt32, UInt32)] = [
            ("/dev/null", 1, 3), ("/dev/zero", 1, 5), ("/dev/full", 1, 7), ("/dev/random", 1, 8),
            ("/dev/urandom", 1, 9), ("/dev/tty", 5, 0),
        ]
        for index in devices.indices {
            let (name, major, minor) = devices[index]
            try check(cn_mknod_char(path(name), 0o666, major, minor), HN_STAGE_ROOT)
            try check(cn_chmod(path(name), 0o666), HN_STAGE_ROOT)  // mknod's mode is cut by the umask
        }
        let links: [5 of (StaticString, StaticString)] = [
            ("/proc/self/fd", "/dev/fd"), ("/proc/self/fd/0", "/dev/stdin"), ("/proc/self/fd/1", "/dev/stdout"),
            ("/proc/self/fd/2", "/dev/stderr"), ("pts/ptmx", "/dev/ptmx"),
        ]
        for index in links.indices { try check(cn_symlink(path(links[index].0), path(links[index].1)), HN_STAGE_ROOT) }
        try check(cn_mkdir(path("/dev/pts"), 0o755), HN_STAGE_ROOT)
        try check(cn_mkdir(path("/dev/shm"), 0o755), HN_STAGE_ROOT)
    }
}
