import FoundationEssentials
import Glibc
import Linux

/// A bundle of the OCI runtime specification (config.json and rootfs) for a sandbox like the floor's: the same
/// namespaces, mounts, ids, no capability, no_new_privs, a seccomp filter; no cgroup limit is set.
struct OCIBundle: ~Copyable {
    private let directory: TemporaryDirectory
    var path: String { directory.path }

    /// - Parameters:
    ///   - program: a static executable; the bundle has a copy as /app/program.
    ///   - cgroup: the container's cgroup, absolute in the hierarchy.
    init(program: String, cgroup: String) throws(BenchError) {
        let directory = try TemporaryDirectory(prefix: "hearth-bench-oci")
        let root = directory.path + "/rootfs"
        let configuration = Configuration(cgroup: cgroup)
        do throws(Errno) {
            for name in ["", "/usr", "/proc", "/tmp", "/dev", "/app", "/etc"] {
                try Files.makeDirectory(root + name)
            }
            for name in ["bin", "sbin", "lib", "lib64"] {
                _ = try systemCall { symlink("usr/\(name)", "\(root)/\(name)") }
            }
            try Files.write(
                try Files.read(program, limit: 64 << 20), to: root + "/app/program", mode: 0o755)
        } catch {
            throw .system(what: "making an OCI bundle for \(program)", error)
        }
        guard let json = try? JSONEncoder().encode(configuration) else {
            throw .nothingToMeasure("the OCI configuration cannot be encoded")
        }
        try about("writing \(directory.path)/config.json") { () throws(Errno) in
            try Files.write(Array(json), to: directory.path + "/config.json")
        }
        self.directory = directory
    }

    /// The parts of config.json that we set (runtime-spec 1.0.2, config.md and config-linux.md).
    struct Configuration: Codable {
        var ociVersion = "1.0.2"
        var process = Process()
        var root = Root()
        var hostname = "sandbox"
        var mounts = [
            Mount("/proc", "proc", "proc", ["nosuid", "nodev", "noexec"]),
            Mount("/usr", "bind", "/usr", ["bind", "ro", "nosuid", "nodev"]),
            Mount("/dev", "tmpfs", "tmpfs", ["nosuid", "noexec", "mode=755", "size=64k"]),
            Mount("/dev/shm", "tmpfs", "shm", ["nosuid", "nodev", "noexec", "mode=1777", "size=16m"]),
            Mount("/tmp", "tmpfs", "tmp", ["nosuid", "nodev", "mode=1777", "size=64m"]),
        ]
        var linux: Linux

        init(cgroup: String) {
            linux = Linux(cgroupsPath: cgroup)
        }

        struct Process: Codable {
            var terminal = false
            var user = ["uid": 1000, "gid": 1000]
            var args = ["/app/program"]
            var env = ["PATH=/usr/bin:/bin"]
            var cwd = "/"
            var capabilities: [String: [String]] = [
                "bounding": [], "effective": [], "permitted": [], "inheritable": [], "ambient": [],
            ]
            var noNewPrivileges = true
        }

        struct Root: Codable {
            var path = "rootfs"
            var readonly = true
        }

        struct Mount: Codable {
            var destination, type, source: String
            var options: [String]

            init(_ destination: String, _ type: String, _ source: String, _ options: [String]) {
                (self.destination, self.type, self.source, self.options) = (destination, type, source, options)
            }
        }

        struct Linux: Codable {
            var namespaces = ["user", "pid", "mount", "network", "ipc", "uts", "cgroup"].map { ["type": $0] }
            var uidMappings = [IDMap()]
            var gidMappings = [IDMap()]
            var cgroupsPath: String
            var seccomp = Seccomp()
        }

        struct IDMap: Codable {
            var containerID = 0
            var hostID = 1 << 20
            var size = 65536
        }

        struct Seccomp: Codable {
            var defaultAction = "SCMP_ACT_ERRNO"
            var syscalls = [Rule()]

            struct Rule: Codable {
                var names = OCIBundle.allowedSystemCalls
                var action = "SCMP_ACT_ALLOW"
            }
        }
    }

    /// What a C, Python or Node program asks for. Container engines allow some 360 names; a shorter list compiles
    /// faster, which is to the peers' advantage here.
    static let allowedSystemCalls = """
        accept4 access arch_prctl bind brk capget chdir chmod clock_getres clock_gettime clock_nanosleep clone clone3 \
        close close_range connect copy_file_range dup dup2 dup3 epoll_create1 epoll_ctl epoll_pwait epoll_pwait2 \
        epoll_wait eventfd2 execve execveat exit exit_group faccessat faccessat2 fadvise64 fallocate fchdir fchmod \
        fchmodat fcntl fdatasync flock fork fstat fstatfs fsync ftruncate futex getcwd getdents64 getegid geteuid \
        getgid getgroups getpeername getpgid getpgrp getpid getppid getpriority getrandom getresgid getresuid \
        getrlimit getrusage getsid getsockname getsockopt gettid gettimeofday getuid inotify_add_watch inotify_init1 \
        inotify_rm_watch ioctl kill link linkat listen lseek lstat madvise membarrier memfd_create mincore mkdir \
        mkdirat mlock mmap mprotect mremap msync munmap nanosleep newfstatat open openat openat2 pause pidfd_open \
        pidfd_send_signal pipe pipe2 poll ppoll prctl pread64 preadv prlimit64 pselect6 pwrite64 pwritev read \
        readahead readlink readlinkat readv recvfrom recvmmsg recvmsg rename renameat renameat2 restart_syscall rmdir \
        rseq rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait \
        sched_getaffinity sched_getparam sched_getscheduler sched_yield select sendfile sendmmsg sendmsg sendto \
        set_robust_list set_tid_address setitimer setpgid setpriority setrlimit setsid setsockopt shutdown \
        sigaltstack signalfd4 socket socketpair splice stat statfs statx symlink symlinkat sync sync_file_range \
        sysinfo tee tgkill timer_create timer_delete timer_settime timerfd_create timerfd_gettime timerfd_settime \
        times tkill truncate umask uname unlink unlinkat utimensat vfork wait4 waitid write writev
        """.split(separator: " ").map(String.init)
}
