#define _GNU_SOURCE
#include "clinux.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef SYS_open_tree
#define SYS_open_tree 428
#define SYS_move_mount 429
#endif
#ifndef SYS_epoll_pwait2
#define SYS_epoll_pwait2 441
#endif
#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#endif

// ---- epoll

int clx_epoll_create(void) { return epoll_create1(EPOLL_CLOEXEC); }

static int epoll_change(int epfd, int op, int fd, uint32_t events, uint64_t token) {
    struct epoll_event ev = {.events = events, .data.u64 = token};
    return epoll_ctl(epfd, op, fd, &ev);
}
int clx_epoll_ctl_add(int epfd, int fd, uint32_t events, uint64_t token) {
    return epoll_change(epfd, EPOLL_CTL_ADD, fd, events, token);
}
int clx_epoll_ctl_mod(int epfd, int fd, uint32_t events, uint64_t token) {
    return epoll_change(epfd, EPOLL_CTL_MOD, fd, events, token);
}
int clx_epoll_ctl_del(int epfd, int fd) { return epoll_change(epfd, EPOLL_CTL_DEL, fd, 0, 0); }

int clx_epoll_wait(int epfd, struct clx_epoll_event *out, int capacity, int64_t timeout_ns) {
    struct epoll_event events[128];
    if (capacity > 128) capacity = 128;
    struct timespec ts = {.tv_sec = timeout_ns / 1000000000, .tv_nsec = timeout_ns % 1000000000};
    int n = (int)syscall(SYS_epoll_pwait2, epfd, events, capacity, timeout_ns < 0 ? NULL : &ts, NULL, 0);
    if (n < 0 && errno == ENOSYS) {
        int64_t ms = timeout_ns < 0 ? -1 : (timeout_ns + 999999) / 1000000;
        n = epoll_wait(epfd, events, capacity, ms > 1 << 30 ? 1 << 30 : (int)ms);
    }
    for (int i = 0; i < n; i++) {
        out[i].events = events[i].events;
        out[i].token = events[i].data.u64;
    }
    return n;
}
int clx_eventfd(void) { return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); }

// ---- unix sockets

int clx_socketpair(int type, int out[2]) { return socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, out); }

static int unix_address(const char *path, struct sockaddr_un *address, socklen_t *length) {
    size_t n = strlen(path);
    if (n == 0 || n >= sizeof address->sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memset(address, 0, sizeof *address);
    address->sun_family = AF_UNIX;
    memcpy(address->sun_path, path, n + 1);
    *length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + 1);
    return 0;
}

static int close_keeping_errno(int fd) {
    int saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

int clx_unix_listen(const char *path, int type, int backlog, unsigned mode) {
    struct sockaddr_un address;
    socklen_t length;
    if (unix_address(path, &address, &length) < 0) return -1;
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return -1;
    // fchmod on the socket before bind sets the mode the inode is born with: no moment of wider permissions.
    if (fchmod(fd, mode) < 0 || bind(fd, (struct sockaddr *)&address, length) < 0) return close_keeping_errno(fd);
    if (chmod(path, mode) < 0 || listen(fd, backlog) < 0) return close_keeping_errno(fd);
    return fd;
}

int clx_unix_connect(const char *path, int type) {
    struct sockaddr_un address;
    socklen_t length;
    if (unix_address(path, &address, &length) < 0) return -1;
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    int r;
    do r = connect(fd, (struct sockaddr *)&address, length);
    while (r < 0 && errno == EINTR);
    return r < 0 ? close_keeping_errno(fd) : fd;
}

int clx_accept(int fd) { return accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK); }

int clx_peer_credentials(int fd, struct clx_ucred *out) {
    struct ucred credentials;
    socklen_t length = sizeof credentials;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &length) < 0) return -1;
    *out = (struct clx_ucred){credentials.pid, credentials.uid, credentials.gid};
    return 0;
}

ssize_t clx_send(int fd, const void *first, size_t first_len, const void *second, size_t second_len,
                 const int *fds, int nfds, int flags) {
    if (nfds < 0 || nfds > CLX_MAX_FDS) {
        errno = EINVAL;
        return -1;
    }
    struct iovec iov[2] = {{(void *)first, first_len}, {(void *)second, second_len}};
    struct msghdr message = {.msg_iov = iov, .msg_iovlen = second_len > 0 ? 2 : 1};
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int) * CLX_MAX_FDS)];
    } control;
    if (nfds > 0) {
        message.msg_control = control.bytes;
        message.msg_controllen = CMSG_SPACE(sizeof(int) * (size_t)nfds);
        memset(control.bytes, 0, message.msg_controllen);
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int) * (size_t)nfds);
        memcpy(CMSG_DATA(header), fds, sizeof(int) * (size_t)nfds);
    }
    return sendmsg(fd, &message, flags | MSG_NOSIGNAL);
}

ssize_t clx_recv(int fd, void *buffer, size_t length, int *fds, int *nfds, int flags) {
    struct iovec iov = {buffer, length};
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int) * CLX_MAX_FDS)];
    } control;
    struct msghdr message = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
    *nfds = 0;
    ssize_t n = recvmsg(fd, &message, flags | MSG_CMSG_CLOEXEC);
    if (n < 0) return -1;
    int count = 0;
    for (struct cmsghdr *h = CMSG_FIRSTHDR(&message); h; h = CMSG_NXTHDR(&message, h)) {
        if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS) continue;
        int here = (int)((h->cmsg_len - CMSG_LEN(0)) / sizeof(int));
        const unsigned char *data = CMSG_DATA(h);
        for (int i = 0; i < here; i++) {
            int received;
            memcpy(&received, data + (size_t)i * sizeof(int), sizeof received);
            if (count < CLX_MAX_FDS) fds[count++] = received;
            else close(received);
        }
    }
    if (message.msg_flags & (MSG_CTRUNC | MSG_TRUNC)) {
        for (int i = 0; i < count; i++) close(fds[i]);
        errno = message.msg_flags & MSG_CTRUNC ? EPROTO : EMSGSIZE;
        return -1;
    }
    *nfds = count;
    return n;
}

// ---- descriptors

int clx_open(const char *path, int flags, unsigned mode) { return open(path, flags | O_CLOEXEC, mode); }
int clx_openat(int dir, const char *path, int flags, unsigned mode) {
    return openat(dir, path, flags | O_CLOEXEC, mode);
}
int clx_openat2(int dir, const char *path, uint64_t flags, uint64_t mode, uint64_t resolve) {
    struct open_how how = {.flags = flags | O_CLOEXEC, .mode = mode, .resolve = resolve};
    return (int)syscall(SYS_openat2, dir, path, &how, sizeof how);
}
int clx_pipe(int out[2], int flags) { return pipe2(out, flags | O_CLOEXEC); }
int clx_dup_cloexec(int fd, int minimum) { return fcntl(fd, F_DUPFD_CLOEXEC, minimum); }
int clx_set_nonblocking(int fd, bool on) {
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0) return -1;
    return fcntl(fd, F_SETFL, on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK);
}
int clx_set_cloexec(int fd, bool on) { return fcntl(fd, F_SETFD, on ? FD_CLOEXEC : 0); }
int clx_close_range(unsigned first, unsigned last, unsigned flags) {
    return (int)syscall(SYS_close_range, first, last, flags);
}
int clx_memfd(const char *name, unsigned flags) { return memfd_create(name, flags | MFD_CLOEXEC); }
int clx_seal(int fd, int seals) { return fcntl(fd, F_ADD_SEALS, seals); }
int clx_pipe_size(int fd, int bytes) { return fcntl(fd, F_SETPIPE_SZ, bytes); }

// ---- processes

int clx_pidfd_open(int pid, unsigned flags) { return (int)syscall(SYS_pidfd_open, pid, flags); }
int clx_pidfd_signal(int pidfd, int signal) { return (int)syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0); }

int clx_spawn(const char *const *argv, const char *const *envp, const int *source, int count, bool new_session,
              int cgroup_fd, int *pidfd_out) {
    if (count < 0 || count > CLX_MAX_FDS) {
        errno = EINVAL;
        return -1;
    }
    int error_pipe[2];
    if (pipe2(error_pipe, O_CLOEXEC) < 0) return -1;
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int pidfd = -1;
    struct clone_args args = {.flags = CLONE_PIDFD | CLONE_CLEAR_SIGHAND, .pidfd = (uint64_t)(uintptr_t)&pidfd,
                              .exit_signal = SIGCHLD};
    if (cgroup_fd >= 0) {
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = (uint64_t)cgroup_fd;
    }
    long pid = syscall(SYS_clone3, &args, sizeof args);
    if (pid == 0) {
        signal(SIGPIPE, SIG_DFL);  // an ignored signal would survive the exec
        if (new_session) setsid();
        // First move everything above the target range, then down: a source may be another one's target.
        int moved[CLX_MAX_FDS];
        for (int i = 0; i < count; i++) {
            moved[i] = fcntl(source[i], F_DUPFD, CLX_MAX_FDS + 4);
            if (moved[i] < 0) goto fail;
        }
        int report = fcntl(error_pipe[1], F_DUPFD_CLOEXEC, CLX_MAX_FDS + 4);
        if (report < 0) goto fail;
        for (int i = 0; i < count; i++)
            if (dup2(moved[i], i) < 0) goto fail_high;
        if (syscall(SYS_close_range, count, report - 1, 0) < 0 || syscall(SYS_close_range, report + 1, ~0U, 0) < 0)
            goto fail_high;
        sigset_t none;
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        execve(argv[0], (char *const *)argv, (char *const *)envp);
    fail_high:
        error_pipe[1] = report;
    fail:;
        int code = errno;
        ssize_t ignored = write(error_pipe[1], &code, sizeof code);
        (void)ignored;
        _exit(127);
    }
    int saved = errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    close(error_pipe[1]);
    if (pid < 0) {
        close(error_pipe[0]);
        errno = saved;
        return -1;
    }
    int code = 0;
    ssize_t n;
    do n = read(error_pipe[0], &code, sizeof code);
    while (n < 0 && errno == EINTR);
    close(error_pipe[0]);
    if (n == (ssize_t)sizeof code) {
        siginfo_t info;
        waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED);
        close(pidfd);
        errno = code;
        return -1;
    }
    *pidfd_out = pidfd;
    return (int)pid;
}

int clx_wait_pidfd(int pidfd, int *status, int64_t *user_us, int64_t *system_us, int64_t *max_rss_kib) {
    siginfo_t info;
    struct rusage usage;
    memset(&info, 0, sizeof info);
    memset(&usage, 0, sizeof usage);
    // The raw call: glibc's waitid has no rusage argument.
    if (syscall(SYS_waitid, P_PIDFD, pidfd, &info, WEXITED | WNOHANG, &usage) < 0) return -1;
    if (info.si_pid == 0) return 0;
    *status = info.si_code == CLD_EXITED ? info.si_status : -info.si_status;
    *user_us = usage.ru_utime.tv_sec * 1000000LL + usage.ru_utime.tv_usec;
    *system_us = usage.ru_stime.tv_sec * 1000000LL + usage.ru_stime.tv_usec;
    *max_rss_kib = usage.ru_maxrss;
    return info.si_pid;
}

// ---- mounts

int clx_open_tree(int dir, const char *path, unsigned flags) { return (int)syscall(SYS_open_tree, dir, path, flags); }
int clx_move_mount(int from_dir, const char *from, int to_dir, const char *to, unsigned flags) {
    return (int)syscall(SYS_move_mount, from_dir, from, to_dir, to, flags);
}

// ---- the rest

const char *clx_errno_name(int number) { return strerrorname_np(number); }
const char *clx_errno_text(int number) { return strerrordesc_np(number); }

static int64_t now_ns(clockid_t clock) {
    struct timespec ts;
    clock_gettime(clock, &ts);
    return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}
int64_t clx_monotonic_ns(void) { return now_ns(CLOCK_MONOTONIC); }
int64_t clx_realtime_ns(void) { return now_ns(CLOCK_REALTIME); }
long clx_landlock_abi(void) { return syscall(SYS_landlock_create_ruleset, NULL, 0, 1U /* VERSION */); }
long clx_syscall_errno_probe(long number) {
    long r = syscall(number, -1L, 0L, 0L, 0L, 0L, 0L);
    return r < 0 ? errno : 0;
}

int clx_openpty(int out[2]) {
    int master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (master < 0) return -1;
    int unlock = 0;
    if (ioctl(master, TIOCSPTLCK, &unlock) < 0) return close_keeping_errno(master);
    // TIOCGPTPEER opens the peer by descriptor: no path to be tricked with (CVE-2025-52565).
    int slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (slave < 0) return close_keeping_errno(master);
    out[0] = master;
    out[1] = slave;
    return 0;
}
int clx_tty_get_size(int fd, uint16_t *rows, uint16_t *cols) {
    struct winsize size;
    if (ioctl(fd, TIOCGWINSZ, &size) < 0) return -1;
    *rows = size.ws_row;
    *cols = size.ws_col;
    return 0;
}
int clx_tty_set_size(int fd, uint16_t rows, uint16_t cols) {
    struct winsize size = {.ws_row = rows, .ws_col = cols};
    return ioctl(fd, TIOCSWINSZ, &size);
}

static void fill(sigset_t *set, const int *signals, int count) {
    sigemptyset(set);
    for (int i = 0; i < count; i++) sigaddset(set, signals[i]);
}
int clx_signalfd(const int *signals, int count) {
    sigset_t set;
    fill(&set, signals, count);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}
int clx_signalfd_read(int fd) {
    struct signalfd_siginfo info;
    ssize_t n = read(fd, &info, sizeof info);
    return n == (ssize_t)sizeof info ? (int)info.ssi_signo : -1;
}
int clx_block_signals(const int *signals, int count) {
    sigset_t set;
    fill(&set, signals, count);
    int r = pthread_sigmask(SIG_BLOCK, &set, NULL);
    if (r != 0) {
        errno = r;
        return -1;
    }
    return 0;
}
void clx_ignore_sigpipe(void) { signal(SIGPIPE, SIG_IGN); }

int clx_set_processors(int thread, int first, int count) {
    cpu_set_t set;
    CPU_ZERO(&set);
    for (int processor = first; processor < first + count; processor++) CPU_SET(processor, &set);
    return sched_setaffinity(thread, sizeof set, &set);
}
