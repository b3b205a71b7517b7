// What the nursery needs of the kernel, as plain functions and constants that Swift can import. No C library.
#pragma once
#include "cn_syscall.h"
#include <asm/stat.h>
#include <linux/capability.h>
#include <linux/fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <linux/prctl.h>
#include <linux/resource.h>
#include <linux/sched.h>
#include <linux/stat.h>
#include <stddef.h>

typedef const char *cn_path;

// ---- descriptors and files

static inline long cn_close(int fd) { return cn_call1(__NR_close, fd); }
static inline long cn_read(int fd, void *p, size_t n) { return cn_call3(__NR_read, fd, (long)p, (long)n); }
static inline long cn_write(int fd, const void *p, size_t n) { return cn_call3(__NR_write, fd, (long)p, (long)n); }
static inline long cn_openat(int dir, cn_path path, int flags, int mode) {
    return cn_call4(__NR_openat, dir, (long)path, flags | O_CLOEXEC, mode);
}
static inline long cn_openat2(int dir, cn_path path, uint64_t flags, uint64_t resolve) {
    struct open_how how = {.flags = flags | O_CLOEXEC, .mode = 0, .resolve = resolve};
    return cn_call4(__NR_openat2, dir, (long)path, (long)&how, sizeof how);
}
// What tells a directory from any other as long as it is open or mounted: its device and inode in one word. 0 on failure.
static inline uint64_t cn_identity(int fd) {
    struct stat status;
    if (cn_call2(__NR_fstat, fd, (long)&status) < 0) return 0;
    return (uint64_t)status.st_ino * 0x9e3779b97f4a7c15u ^ (uint64_t)status.st_dev;
}
static inline long cn_dup3(int from, int to, int flags) { return cn_call3(__NR_dup3, from, to, flags); }
static inline long cn_dup_above(int fd, int minimum) { return cn_call3(__NR_fcntl, fd, F_DUPFD_CLOEXEC, minimum); }
static inline long cn_close_range(unsigned first, unsigned last, unsigned flags) {
    return cn_call3(__NR_close_range, (long)first, (long)last, (long)flags);
}
static const unsigned CN_CLOSE_RANGE_UNSHARE = 2;
static const unsigned CN_CLOSE_RANGE_CLOEXEC = 4;
static inline long cn_mkdir(cn_path path, int mode) { return cn_call3(__NR_mkdirat, AT_FDCWD, (long)path, mode); }
static inline long cn_symlink(cn_path target, cn_path path) {
    return cn_call3(__NR_symlinkat, (long)target, AT_FDCWD, (long)path);
}
static inline long cn_mknod_char(cn_path path, int mode, unsigned major, unsigned minor) {
    return cn_call4(__NR_mknodat, AT_FDCWD, (long)path, 0020000 | mode, (long)(major << 8 | minor));
}
static inline long cn_chmod(cn_path path, int mode) { return cn_call3(__NR_fchmodat, AT_FDCWD, (long)path, mode); }
static inline long cn_chdir(cn_path path) { return cn_call1(__NR_chdir, (long)path); }
static inline long cn_fchdir(int fd) { return cn_call1(__NR_fchdir, fd); }
static inline long cn_getcwd(char *out, size_t n) { return cn_call2(__NR_getcwd, (long)out, (long)n); }
static inline long cn_umask(int mask) { return cn_call1(__NR_umask, mask); }
static inline long cn_ioctl(int fd, unsigned long request, const void *argument) {
    return cn_call3(__NR_ioctl, fd, (long)request, (long)argument);
}

// ---- memory

static inline long cn_mmap(size_t n, int shared) {  // anonymous, readable and writable
    return cn_call6(__NR_mmap, 0, (long)n, 3, 0x20 | (shared ? 1 : 2), -1, 0);
}
static inline long cn_munmap(void *p, size_t n) { return cn_call2(__NR_munmap, (long)p, (long)n); }
// A child made by clone does not get this range.
static inline long cn_keep_from_children(void *p, size_t n) {
    return cn_call3(__NR_madvise, (long)p, (long)n, 10 /* MADV_DONTFORK */);
}
// The pages are given back, and read as zeroes from then on.
static inline long cn_discard(void *p, size_t n) { return cn_call3(__NR_madvise, (long)p, (long)n, 4 /* MADV_DONTNEED */); }
// For PID 1 that is about to wait: the pages of its birth and of what it has done since are given back.
void cn_settle(void);
// For the nursery that has nothing to do: the stack beneath it is given back.
void cn_release_stack(void);
// Runs fn for ever on a stack of its own, with the state that was put at cn_service_state (NULL where it is too large for it).
_Noreturn void cn_serve(void (*fn)(void *));
void *cn_service_state(size_t size);
// Where PID 1 takes a request and works on it; NULL where it is too large. cn_settle gives its pages back.
void *cn_service_request(size_t size);
// From there: the stack of before is given back, the command line with it.
void cn_leave_birth_stack(void);

// ---- processes

static inline long cn_clone3(struct clone_args *args) { return cn_call2(__NR_clone3, (long)args, sizeof *args); }
// Runs fn(arg) in a child that borrows this address space (CLONE_VM | CLONE_VFORK) on a stack of its own; returns the pid
// once the child has executed a program or exited.
long cn_vfork_call(void (*fn)(void *), void *arg, void *stack_top);
void *cn_vfork_stack_top(void);
static inline long cn_execve(cn_path path, char *const *argv, char *const *envp) {
    return cn_call3(__NR_execve, (long)path, (long)argv, (long)envp);
}
_Noreturn void cn_exit(int status);
int cn_argument_count(void);
char *cn_argument(int index);  // NULL beyond the last
static inline long cn_setns(int fd, int kind) { return cn_call2(__NR_setns, fd, kind); }
static inline long cn_unshare(int flags) { return cn_call1(__NR_unshare, flags); }
static inline long cn_prctl(int option, unsigned long a) { return cn_call5(__NR_prctl, option, (long)a, 0, 0, 0); }
static inline long cn_prctl2(int option, unsigned long a, unsigned long b) {
    return cn_call5(__NR_prctl, option, (long)a, (long)b, 0, 0);
}
static inline long cn_setsid(void) { return cn_call0(__NR_setsid); }
static inline long cn_getpid(void) { return cn_call0(__NR_getpid); }
static inline long cn_kill(int pid, int signal) { return cn_call2(__NR_kill, pid, signal); }
static inline long cn_pidfd_open(int pid) { return cn_call2(__NR_pidfd_open, pid, 0); }
static inline long cn_pidfd_kill(int pidfd, int signal) {
    return cn_call4(__NR_pidfd_send_signal, pidfd, signal, 0, 0);
}
static inline long cn_setresuid(unsigned id) { return cn_call3(__NR_setresuid, id, id, id); }
static inline long cn_setresgid(unsigned id) { return cn_call3(__NR_setresgid, id, id, id); }
static inline long cn_setgroups_none(void) { return cn_call2(__NR_setgroups, 0, 0); }
static inline long cn_capset(uint64_t effective, uint64_t permitted, uint64_t inheritable) {
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2] = {
        {(uint32_t)effective, (uint32_t)permitted, (uint32_t)inheritable},
        {(uint32_t)(effective >> 32), (uint32_t)(permitted >> 32), (uint32_t)(inheritable >> 32)}};
    return cn_call2(__NR_capset, (long)&header, (long)data);
}
static inline long cn_setrlimit(int resource, uint64_t soft, uint64_t hard) {
    uint64_t limit[2] = {soft, hard};
    return cn_call4(__NR_prlimit64, 0, resource, (long)limit, 0);
}
static inline long cn_join_session_keyring(void) {
    return cn_call2(__NR_keyctl, 1 /* KEYCTL_JOIN_SESSION_KEYRING */, 0);
}
static inline long cn_set_filter(const void *instructions, unsigned short count) {
    struct { unsigned short length; const void *filter; } program = {count, instructions};
    return cn_call3(__NR_seccomp, 1 /* SECCOMP_SET_MODE_FILTER */, 0, (long)&program);
}
static inline long cn_clear_signal_mask(void) {
    uint64_t none = 0;
    return cn_call4(__NR_rt_sigprocmask, 2 /* SIG_SETMASK */, (long)&none, 0, sizeof none);
}
// Every signal back to its default: an ignored one would be ignored by every program of every sandbox.
static inline void cn_default_signals(void) {
    struct { uint64_t handler, flags, restorer, mask; } action = {0, 0, 0, 0};
    for (int signal = 1; signal <= 64; signal++) cn_call4(__NR_rt_sigaction, signal, (long)&action, 0, 8);
}
// Blocks SIGCHLD and returns a descriptor that is readable when it is pending.
static inline long cn_child_signals(void) {
    uint64_t mask = 1ull << (17 - 1);
    long r = cn_call4(__NR_rt_sigprocmask, 0 /* SIG_BLOCK */, (long)&mask, 0, sizeof mask);
    return r < 0 ? r : cn_call4(__NR_signalfd4, -1, (long)&mask, sizeof mask, O_CLOEXEC | O_NONBLOCK);
}
static inline void cn_drain_signals(int fd) {
    char info[128];
    while (cn_read(fd, info, sizeof info) == (long)sizeof info) {
    }
}

struct cn_usage { int64_t user_us, system_us, max_rss_kib; };
// wait4 without waiting: the pid, 0 when none has ended; status as an exit status, or minus the signal.
static inline long cn_reap(int pid, int32_t *status, struct cn_usage *usage) {
    struct rusage raw;
    int code = 0;
    long r = cn_call4(__NR_wait4, pid, (long)&code, 1 /* WNOHANG */ | 0x40000000 /* __WALL */, (long)&raw);
    if (r <= 0) return r;
    *status = (code & 0x7f) == 0 ? (code >> 8) & 0xff : -(code & 0x7f);
    usage->user_us = raw.ru_utime.tv_sec * 1000000LL + raw.ru_utime.tv_usec;
    usage->system_us = raw.ru_stime.tv_sec * 1000000LL + raw.ru_stime.tv_usec;
    usage->max_rss_kib = raw.ru_maxrss;
    return r;
}

// ---- mounts

static inline long cn_open_tree(int dir, cn_path path, unsigned flags) {
    return cn_call3(__NR_open_tree, dir, (long)path, flags | OPEN_TREE_CLOEXEC);
}
static inline long cn_mount_setattr(int fd, unsigned flags, uint64_t set, uint64_t clear, uint64_t propagation) {
    struct mount_attr attr = {.attr_set = set, .attr_clr = clear, .propagation = propagation};
    return cn_call5(__NR_mount_setattr, fd, (long)"", AT_EMPTY_PATH | flags, (long)&attr, sizeof attr);
}
static inline long cn_move_mount(int from, int to_dir, cn_path to) {  // an empty path names the descriptor itself
    return cn_call5(__NR_move_mount, from, (long)"", to_dir, (long)to,
                    MOVE_MOUNT_F_EMPTY_PATH | (to[0] == 0 ? MOVE_MOUNT_T_EMPTY_PATH : 0));
}
// On a descriptor, with what the kernel does not read of the two descriptors set to a key that a filter may ask for.
static inline long cn_move_mount_keyed(int from, int to, uint64_t key) {
    return cn_call5(__NR_move_mount, (long)((key & 0xffffffff00000000u) | (uint32_t)from), (long)"",
                    (long)(key << 32 | (uint32_t)to), (long)"", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
}
static inline long cn_fsopen(cn_path type) { return cn_call2(__NR_fsopen, (long)type, FSOPEN_CLOEXEC); }
static inline long cn_fs_string(int fd, cn_path key, cn_path value) {
    return cn_call5(__NR_fsconfig, fd, FSCONFIG_SET_STRING, (long)key, (long)value, 0);
}
static inline long cn_fs_flag(int fd, cn_path key) {
    return cn_call5(__NR_fsconfig, fd, FSCONFIG_SET_FLAG, (long)key, 0, 0);
}
static inline long cn_fs_create(int fd) { return cn_call5(__NR_fsconfig, fd, FSCONFIG_CMD_CREATE, 0, 0, 0); }
static inline long cn_fsmount(int fd, unsigned attributes) {
    return cn_call3(__NR_fsmount, fd, FSMOUNT_CLOEXEC, attributes);
}
static inline long cn_pivot_root_here(void) { return cn_call2(__NR_pivot_root, (long)".", (long)"."); }
static inline long cn_detach_here(void) { return cn_call2(__NR_umount2, (long)".", 2 /* MNT_DETACH */); }
static inline long cn_detach(cn_path path) { return cn_call2(__NR_umount2, (long)path, 2 /* MNT_DETACH */); }
static inline long cn_make_private(void) {
    return cn_call5(__NR_mount, (long)"none", (long)"/", 0, 0x4000 | (1 << 18) /* MS_REC | MS_PRIVATE */, 0);
}
static inline long cn_sethostname(const char *name, size_t n) {
    return cn_call2(__NR_sethostname, (long)name, (long)n);
}

// Whether the descriptor is the device 1:3 itself.
static inline int cn_is_null_device(int fd) {
    struct statx s;
    return cn_call5(__NR_statx, fd, (long)"", AT_EMPTY_PATH, STATX_TYPE, (long)&s) == 0 &&
           (s.stx_mode & 0170000) == 0020000 && s.stx_rdev_major == 1 && s.stx_rdev_minor == 3;
}

// ---- Landlock. Its header on Debian 12 is older than the scopes, so the structures are written out (linux/landlock.h of 6.12).

static inline long cn_landlock_abi(void) { return cn_call3(__NR_landlock_create_ruleset, 0, 0, 1 /* VERSION */); }
// A kernel that knows less of the structure takes it where the rest is zero.
static inline long cn_landlock_create(uint64_t files, uint64_t scopes) {
    struct { uint64_t files, network, scopes; } ruleset = {files, 0, scopes};
    return cn_call3(__NR_landlock_create_ruleset, (long)&ruleset, sizeof ruleset, 0);
}
static inline long cn_landlock_allow(int ruleset, int beneath, uint64_t access) {
    struct { uint64_t access; int32_t beneath; } __attribute__((packed)) rule = {access, beneath};
    return cn_call4(__NR_landlock_add_rule, ruleset, 1 /* PATH_BENEATH */, (long)&rule, 0);
}
static inline long cn_landlock_restrict(int ruleset) { return cn_call2(__NR_landlock_restrict_self, ruleset, 0); }

// ---- sockets and waiting

struct cn_packet {
    long length;
    int count;        // descriptors received
    int fds[16];
};
// One packet. Descriptors beyond 16 or a cut packet: all closed, length = -EPROTO.
void cn_receive(int fd, void *buffer, size_t capacity, int flags, struct cn_packet *out);
static const int CN_MSG_DONTWAIT = 0x40;
long cn_send(int fd, const void *bytes, size_t length, const int *fds, int count, int flags);
static inline long cn_accept(int fd) { return cn_call4(__NR_accept4, fd, 0, 0, O_CLOEXEC); }
// The uid of the process that connected (SO_PEERCRED).
static inline long cn_peer_uid(int fd) {
    struct { int pid; unsigned uid, gid; } peer = {0, ~0u, ~0u};
    unsigned length = sizeof peer;
    long r = cn_call5(__NR_getsockopt, fd, 1 /* SOL_SOCKET */, 17 /* SO_PEERCRED */, (long)&peer, (long)&length);
    return r < 0 ? r : (long)peer.uid;
}
long cn_loopback_up(void);

struct cn_pollfd { int fd; short events, revents; };
static inline long cn_poll(struct cn_pollfd *fds, unsigned n, int timeout_ms) {
    int64_t ts[2] = {timeout_ms / 1000, (timeout_ms % 1000) * 1000000LL};
    return cn_call5(__NR_ppoll, (long)fds, n, timeout_ms < 0 ? 0 : (long)ts, 0, 8);
}
static const int CN_EPOLLIN = 1;
static inline long cn_epoll_create(void) { return cn_call1(__NR_epoll_create1, O_CLOEXEC); }
long cn_epoll_add(int epfd, int fd, uint64_t token);
long cn_epoll_del(int epfd, int fd);
// The token of one ready descriptor into *token; 0 when the time ran out.
long cn_epoll_wait(int epfd, uint64_t *token, int timeout_ms);
long cn_futex_wait(uint32_t *word, uint32_t expected, int timeout_ms);
static inline long cn_futex_wake(uint32_t *word) {
    return cn_call6(__NR_futex, (long)word, 1 /* FUTEX_WAKE */, 0x7fffffff, 0, 0, 0);
}
static inline uint32_t cn_load_acquire(const uint32_t *word) { return __atomic_load_n(word, __ATOMIC_ACQUIRE); }
static inline void cn_store_release(uint32_t *word, uint32_t value) {
    __atomic_store_n(word, value, __ATOMIC_RELEASE);
}
int64_t cn_now(void);  // CLOCK_MONOTONIC, nanoseconds

// Constants that Swift does not import (casts, or names that clash).
static const int CN_AT_FDCWD = AT_FDCWD;
static const uint64_t CN_O_PATH = O_PATH;
static const uint64_t CN_O_DIRECTORY = O_DIRECTORY;
static const int CN_O_RDONLY = O_RDONLY;
static const int CN_O_WRONLY = O_WRONLY;
static const unsigned CN_AT_EMPTY_PATH = AT_EMPTY_PATH;
static const unsigned CN_AT_RECURSIVE = AT_RECURSIVE;
static const unsigned CN_OPEN_TREE_CLONE = OPEN_TREE_CLONE;
static const uint64_t CN_RESOLVE_STRICT = RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH;
static const unsigned CN_ATTR_RDONLY = MOUNT_ATTR_RDONLY;
static const unsigned CN_ATTR_NOSUID = MOUNT_ATTR_NOSUID;
static const unsigned CN_ATTR_NODEV = MOUNT_ATTR_NODEV;
static const unsigned CN_ATTR_NOEXEC = MOUNT_ATTR_NOEXEC;
static const uint64_t CN_MS_PRIVATE = 1 << 18;
static const int CN_EPERM = 1;
static const int CN_ENOENT = 2;
static const int CN_ESRCH = 3;
static const int CN_EINTR = 4;
static const int CN_EAGAIN = 11;
static const int CN_ENOMEM = 12;
static const int CN_EACCES = 13;
static const int CN_EEXIST = 17;
static const int CN_EINVAL = 22;
static const int CN_ENOSPC = 28;
static const int CN_EPIPE = 32;
static const int CN_ENAMETOOLONG = 36;
static const int CN_ENOSYS = 38;
static const int CN_EPROTO = 71;
static const int CN_ETIMEDOUT = 110;
#define CN_NAMESPACES                                                                                                  \
    ((uint64_t)CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS)
static inline uint64_t cn_clone_flags(void) {
    return CN_NAMESPACES | CLONE_PIDFD | CLONE_INTO_CGROUP | CLONE_CLEAR_SIGHAND | CLONE_FILES;
}
static const int CN_CLONE_NEWNET = CLONE_NEWNET;
static const int CN_CLONE_NEWNS = CLONE_NEWNS;
static const int CN_CLONE_NEWCGROUP = CLONE_NEWCGROUP;
static const int CN_SIGKILL = 9;
static const int CN_SIGCHLD = 17;
