# The system calls of a function's processes: an allowlist, compiled through libseccomp.
#
# How it is read. A call that stands nowhere, and every call that is newer than this file, answers ENOSYS: programs
# take that as "an older kernel" and fall back. EPERM says "this kernel has it, you may not", for calls that a program
# should not try to do without. The native architecture only: int 0x80 and x32 kill the process, since their numbers
# mean other calls and the arguments of socketcall cannot be looked into. A rule with `if` sees the number in the
# register, not memory behind a pointer.
#
# The kernel takes many arguments as 32 bits and drops the rest of the register; a filter sees all 64. So what is
# allowed is compared exactly or what is denied is compared under a mask, never "everything but this number"
# (CVE-2019-7303: TIOCSTI with a high bit set).
#
# A profile of a single function may only tighten this one: the kernel takes the strictest answer of all filters.

default errno ENOSYS

# --- Descriptors: reading, writing, waiting -------------------------------------------------------------------------
allow read write readv writev pread64 pwrite64 preadv pwritev preadv2 pwritev2 lseek
allow open openat openat2 creat close close_range dup dup2 dup3 pipe pipe2
allow select pselect6 poll ppoll epoll_create epoll_create1 epoll_ctl epoll_wait epoll_pwait epoll_pwait2
allow eventfd eventfd2 signalfd signalfd4 timerfd_create timerfd_settime timerfd_gettime memfd_create
# Copies inside the kernel. Not vmsplice: it lends pages to a pipe, which no runtime needs and Dirty Pipe's family
# used.
allow sendfile splice tee copy_file_range
allow fsync fdatasync sync_file_range fallocate ftruncate truncate fadvise64
# flock and record locks stay for SQLite, git and package tools. On the shared image they are a covert channel between
# tenants, and only that: nothing of the node locks files there.
allow flock
# All commands below 256, seals, pipe sizes and F_DUPFD_CLOEXEC. Not F_SETLEASE (1024) and F_NOTIFY (1026): they show
# who else opens a file of the shared image. EINVAL is what a kernel without them says.
allow fcntl if arg1 & 0xffffff00 == 0
allow fcntl if arg1 & 0xfffffffc == 1028
allow fcntl if arg1 & 0xfffffff8 == 1032
errno EINVAL fcntl if arg1 & 0xfffffffc == 1024

# --- Files by name --------------------------------------------------------------------------------------------------
allow stat fstat lstat newfstatat statx access faccessat faccessat2 readlink readlinkat getdents getdents64
allow getcwd chdir fchdir rename renameat renameat2 mkdir mkdirat rmdir link linkat unlink unlinkat symlink symlinkat
allow chmod fchmod fchmodat fchmodat2 chown fchown lchown fchownat utime utimes futimesat utimensat umask statfs fstatfs
# Attributes may be looked at; setting them is kernel memory that a size limit of /tmp does not count. EINVAL is an
# answer that cp, libacl and Python's shutil take as "this file system has none"; EPERM makes cp -a fail.
allow getxattr lgetxattr fgetxattr listxattr llistxattr flistxattr
errno EINVAL setxattr lsetxattr fsetxattr removexattr lremovexattr fremovexattr
# Named pipes and plain files, never devices.
allow mknod if arg1 & 0xf000 == 0x1000
allow mknod if arg1 & 0xf000 == 0x8000
allow mknod if arg1 & 0xf000 == 0
errno EPERM mknod if arg1 & 0xf000 == 0x2000
errno EPERM mknod if arg1 & 0xf000 == 0x6000
allow mknodat if arg2 & 0xf000 == 0x1000
allow mknodat if arg2 & 0xf000 == 0x8000
allow mknodat if arg2 & 0xf000 == 0
errno EPERM mknodat if arg2 & 0xf000 == 0x2000
errno EPERM mknodat if arg2 & 0xf000 == 0x6000
# The whole node's disks would be written out, as often as a tenant likes. sync(2) has no error to see.
errno EPERM sync syncfs
# A handle opens a file whatever directory hides it ("shocker"); no function needs one.
errno EPERM name_to_handle_at open_by_handle_at
# Who opens what on the shared image is another tenant's business. inotify is left out and thus answers ENOSYS: tail,
# libuv and watchers poll instead.
errno EPERM fanotify_init fanotify_mark

# --- ioctl: terminals, sockets, a few of files ----------------------------------------------------------------------
# Terminals are 0x5400-0x54ff, in blocks around TIOCSTI (0x5412: types for the user, CVE-2017-5226) and TIOCLINUX
# (0x541c), with TIOCCONS (0x541d) and the serial settings beside it.
allow ioctl if arg1 & 0xfffffff0 == 0x5400
allow ioctl if arg1 & 0xfffffffe == 0x5410
errno EPERM ioctl if arg1 & 0xffffffff == 0x5412
allow ioctl if arg1 & 0xffffffff == 0x5413
allow ioctl if arg1 & 0xfffffffc == 0x5414
allow ioctl if arg1 & 0xfffffffc == 0x5418
errno EPERM ioctl if arg1 & 0xfffffffc == 0x541c
allow ioctl if arg1 & 0xffffffe0 == 0x5420
allow ioctl if arg1 & 0xffffffc0 == 0x5440
errno ENOTTY ioctl if arg1 & 0xffffff80 == 0x5480
# TCGETS2 and its setters; TIOCGPTN, TIOCSPTLCK, TIOCGPKT, TIOCGPTLCK, TIOCGEXCL of a pty.
allow ioctl if arg1 & 0xffffffff == 0x802c542a
allow ioctl if arg1 & 0xffffffff == 0x402c542b
allow ioctl if arg1 & 0xffffffff == 0x402c542c
allow ioctl if arg1 & 0xffffffff == 0x402c542d
allow ioctl if arg1 & 0xffffffff == 0x80045430
allow ioctl if arg1 & 0xffffffff == 0x40045431
allow ioctl if arg1 & 0xfffffff8 == 0x80045438
allow ioctl if arg1 & 0xffffffff == 0x80045440
# Sockets and interfaces, 0x8900-0x89ff: changing an interface needs a capability that no sandbox has.
allow ioctl if arg1 & 0xffffff00 == 0x8900
# FICLONE and FICLONERANGE (cp), FS_IOC_GETFLAGS and FS_IOC_FIEMAP (cp, lsattr).
allow ioctl if arg1 & 0xffffffff == 0x40049409
allow ioctl if arg1 & 0xffffffff == 0x4020940d
allow ioctl if arg1 & 0xffffffff == 0x80086601
allow ioctl if arg1 & 0xffffffff == 0xc020660b
# SQLite asks F2FS for its features (0x8000f50c); tar and others probe btrfs (0x94) and ext4 ('f').
errno ENOTTY ioctl if arg1 & 0xff00 == 0xf500

# --- Memory ---------------------------------------------------------------------------------------------------------
# mincore: the JVM looks at its stack with it; since Linux 5.2 it tells nothing of pages that a process could not
# write. Left out: NUMA placement, protection keys, memfd_secret, remap_file_pages, cachestat (what others have read).
# Locking succeeds or fails by RLIMIT_MEMLOCK, which is 0.
allow mmap munmap mremap mprotect madvise msync mincore brk mlock mlock2 munlock mlockall munlockall membarrier

# --- Processes, threads, ids ----------------------------------------------------------------------------------------
allow fork vfork execve execveat exit exit_group wait4 waitid
# clone without a namespace flag (CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET); a nested user
# namespace is the door to most kernel exploits of the last years (CVE-2022-0185, CVE-2024-1086). clone3 keeps its
# flags in memory where no filter sees them, so it is left out: ENOSYS makes glibc, musl and Go use clone.
allow clone if arg0 & 0x7e020000 == 0
errno EPERM clone if arg0 & 0x00020000 == 0x00020000
errno EPERM clone if arg0 & 0x02000000 == 0x02000000
errno EPERM clone if arg0 & 0x04000000 == 0x04000000
errno EPERM clone if arg0 & 0x08000000 == 0x08000000
errno EPERM clone if arg0 & 0x10000000 == 0x10000000
errno EPERM clone if arg0 & 0x20000000 == 0x20000000
errno EPERM clone if arg0 & 0x40000000 == 0x40000000
allow getpid getppid gettid getpgrp getpgid setpgid getsid setsid set_tid_address set_robust_list rseq arch_prctl
allow futex futex_waitv
allow kill tkill tgkill pidfd_open pidfd_send_signal
allow rt_sigaction rt_sigprocmask rt_sigreturn rt_sigpending rt_sigsuspend rt_sigtimedwait rt_sigqueueinfo
allow rt_tgsigqueueinfo sigaltstack pause restart_syscall
# Ids can only move within what the process has: it holds no capability. PID 1 uses them for what it starts.
allow getuid geteuid getgid getegid getresuid getresgid getgroups setuid setgid setreuid setregid setresuid setresgid
allow setgroups setfsuid setfsgid capget capset
allow getrlimit setrlimit prlimit64 getrusage times getpriority setpriority
allow sched_yield sched_getaffinity sched_setaffinity sched_getparam sched_getscheduler sched_getattr
allow sched_get_priority_max sched_get_priority_min sched_rr_get_interval getcpu
# Real-time classes are a way to starve neighbours.
errno EPERM sched_setparam sched_setscheduler sched_setattr
# Names, death signals, no_new_privs, dumpable: all about the caller itself.
allow prctl
# A program may put itself under a stricter filter still; it cannot leave this one.
allow seccomp landlock_create_ruleset landlock_add_rule landlock_restrict_self
# The query only: READ_IMPLIES_EXEC and ADDR_NO_RANDOMIZE would undo what protects a function from its own input.
allow personality if arg0 == 0xffffffff
errno EPERM personality if arg0 != 0xffffffff

# --- Time -----------------------------------------------------------------------------------------------------------
allow clock_gettime clock_getres clock_nanosleep nanosleep gettimeofday time alarm getitimer setitimer
allow timer_create timer_settime timer_gettime timer_getoverrun timer_delete
errno EPERM settimeofday clock_settime clock_adjtime adjtimex

# --- Sockets --------------------------------------------------------------------------------------------------------
allow bind connect listen accept accept4 getsockname getpeername sendto recvfrom sendmsg recvmsg sendmmsg recvmmsg
allow shutdown setsockopt getsockopt
# AF_UNIX 1; AF_INET 2 and AF_INET6 10 with the protocols 0 (the type's own), TCP and UDP; AF_NETLINK 16 with the protocol
# ROUTE (getifaddrs). Asking for another one makes the kernel load it as a module: SCTP, DCCP and nfnetlink have long lists of
# CVEs. Go asks for MPTCP and takes ENOSYS as "then TCP".
allow socket if arg0 == 1
allow socket if arg0 == 2 and arg2 == 0
allow socket if arg0 == 2 and arg2 == 6
allow socket if arg0 == 2 and arg2 == 17
allow socket if arg0 == 10 and arg2 == 0
allow socket if arg0 == 10 and arg2 == 6
allow socket if arg0 == 10 and arg2 == 17
allow socket if arg0 == 16 and arg2 == 0
# Every other family: AF_ALG 38 (CVE-2026-31431 writes the page cache of a shared image), AF_VSOCK 40 (reaches the
# hypervisor), AF_PACKET 17 and all the rarely tested ones. Seven patterns of bits that cover 0...63 without the four
# above.
errno EAFNOSUPPORT socket if arg0 & 0x3f == 0
errno EAFNOSUPPORT socket if arg0 & 0x20 == 0x20
errno EAFNOSUPPORT socket if arg0 & 0x04 == 0x04
errno EAFNOSUPPORT socket if arg0 & 0x03 == 0x03
errno EAFNOSUPPORT socket if arg0 & 0x0a == 0x08
errno EAFNOSUPPORT socket if arg0 & 0x11 == 0x11
errno EAFNOSUPPORT socket if arg0 & 0x12 == 0x12
allow socketpair if arg0 == 1
errno EAFNOSUPPORT socketpair if arg0 != 1

# --- Between processes of the sandbox -------------------------------------------------------------------------------
# Shared memory and semaphores, in an IPC namespace of the sandbox's own. Message queues of either kind are left out.
allow shmget shmat shmctl shmdt semget semop semtimedop semctl

# --- The machine ----------------------------------------------------------------------------------------------------
allow uname sysinfo getrandom

# --- Known and refused ----------------------------------------------------------------------------------------------
# Looking into or steering another process.
errno EPERM ptrace process_vm_readv process_vm_writev process_madvise process_mrelease kcmp pidfd_getfd
# Programs and shared rings inside the kernel, with a long list of CVEs each.
errno EPERM bpf perf_event_open userfaultfd io_uring_setup io_uring_enter io_uring_register
# Keys belong to a uid or a session, not to a namespace.
errno EPERM keyctl add_key request_key
# Mounts, roots, namespaces.
errno EPERM mount umount2 pivot_root chroot unshare setns
errno EPERM fsopen fsconfig fsmount fspick open_tree move_mount mount_setattr
# The kernel and the machine.
errno EPERM init_module finit_module delete_module kexec_load kexec_file_load reboot swapon swapoff syslog
errno EPERM acct quotactl quotactl_fd sethostname setdomainname iopl ioperm modify_ldt vhangup lookup_dcookie
# Native AIO is left out without a name: fs.aio-max-nr is one number for the whole node, and a tenant could take it
# all.
