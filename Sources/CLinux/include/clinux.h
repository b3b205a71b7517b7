// What the Glibc overlay does not export to Swift: variadic or macro-only interfaces, and the system calls that
// glibc 2.36 has no wrapper for. Every function returns -1 and sets errno, as a glibc wrapper would.
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <stddef.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

// epoll(7)
enum { CLX_EPOLLIN = 0x001, CLX_EPOLLOUT = 0x004, CLX_EPOLLERR = 0x008, CLX_EPOLLHUP = 0x010, CLX_EPOLLRDHUP = 0x2000,
       CLX_EPOLLPRI = 0x002 };
struct clx_epoll_event { uint32_t events; uint64_t token; };
int clx_epoll_create(void);
int clx_epoll_ctl_add(int epfd, int fd, uint32_t events, uint64_t token);
int clx_epoll_ctl_mod(int epfd, int fd, uint32_t events, uint64_t token);
int clx_epoll_ctl_del(int epfd, int fd);
// Waits at most timeout_ns (negative: for ever). epoll_pwait2 where the kernel has it (5.11), else milliseconds
// rounded up.
int clx_epoll_wait(int epfd, struct clx_epoll_event *out, int capacity, int64_t timeout_ns);
int clx_eventfd(void);

// unix(7)
int clx_socketpair(int type, int out[2]);
int clx_unix_listen(const char *path, int type, int backlog, unsigned mode);
int clx_unix_connect(const char *path, int type);
int clx_accept(int fd);
struct clx_ucred { int32_t pid; uint32_t uid; uint32_t gid; };
int clx_peer_credentials(int fd, struct clx_ucred *out);
// The supplementary groups of the peer as they were at its connect (SO_PEERGROUPS, kernel 4.13); how many, or ERANGE.
int clx_peer_groups(int fd, uint32_t *out, int capacity);
// One message: the first segment, the second (may be empty), and up to 16 descriptors (SCM_RIGHTS).
ssize_t clx_send(int fd, const void *first, size_t first_len, const void *second, size_t second_len,
                 const int *fds, int nfds, int flags);
// Received descriptors are close-on-exec. More than the capacity, or a truncated control message: all are closed and
// the call fails with EPROTO. A truncated datagram fails with EMSGSIZE.
enum { CLX_MAX_FDS = 16 };
ssize_t clx_recv(int fd, void *buffer, size_t length, int *fds, int *nfds, int flags);

// Descriptors
int clx_open(const char *path, int flags, unsigned mode);
int clx_openat(int dir, const char *path, int flags, unsigned mode);
// openat2(2) with resolve flags.
enum { CLX_RESOLVE_NO_XDEV = 0x01, CLX_RESOLVE_NO_MAGICLINKS = 0x02, CLX_RESOLVE_NO_SYMLINKS = 0x04,
       CLX_RESOLVE_BENEATH = 0x08, CLX_RESOLVE_IN_ROOT = 0x10 };
int clx_openat2(int dir, const char *path, uint64_t flags, uint64_t mode, uint64_t resolve);
int clx_pipe(int out[2], int flags);
int clx_dup_cloexec(int fd, int minimum);
int clx_set_nonblocking(int fd, bool on);
int clx_set_cloexec(int fd, bool on);
int clx_close_range(unsigned first, unsigned last, unsigned flags);
int clx_memfd(const char *name, unsigned flags);
int clx_seal(int fd, int seals);
int clx_pipe_size(int fd, int bytes);

// Processes
int clx_pidfd_open(int pid, unsigned flags);
int clx_pidfd_signal(int pidfd, int signal);
// Starts argv[0] with the descriptors source[i] as 0..count-1 and nothing else open; in a new session when asked.
// Returns the pid and stores a pidfd. Written in C because nothing of Swift may run between clone and exec.
int clx_spawn(const char *const *argv, const char *const *envp, const int *source, int count, bool new_session,
              int cgroup_fd, int *pidfd_out);
int clx_wait_pidfd(int pidfd, int *status, int64_t *user_us, int64_t *system_us, int64_t *max_rss_kib);

// Lets a thread run on the processors first to first + count - 1 only (sched_setaffinity(2)).
int clx_set_processors(int thread, int first, int count);
// Privilege
int clx_thread_count(void);
// Becomes the user for good: no supplementary group, no capability in any set, no_new_privs, not dumpable. EBUSY with more than one
// thread, since most of this is a thread's own.
int clx_drop_privileges(uint32_t uid, uint32_t gid);
int clx_user_ids(const char *name, uint32_t *uid, uint32_t *gid);
int clx_chown_at(int directory, const char *name, uint32_t uid, uint32_t gid);  // of a link itself
int clx_owner_at(int directory, const char *name, uint32_t *uid, uint32_t *mode);

// Mounts (for probes and tests; the nursery has its own)
int clx_open_tree(int dir, const char *path, unsigned flags);
int clx_move_mount(int from_dir, const char *from, int to_dir, const char *to, unsigned flags);

// strerrorname_np and strerrordesc_np (glibc 2.32): static strings, no lock; NULL for an unknown number.
const char *clx_errno_name(int number);
const char *clx_errno_text(int number);

int64_t clx_monotonic_ns(void);
int64_t clx_realtime_ns(void);
long clx_landlock_abi(void);
// Lets everything in the control group, and below it, open null, zero, full, random, urandom and terminals, no other device, and make
// none. The program lives as long as the group.
int clx_attach_device_filter(int group);
long clx_syscall_errno_probe(long number);

// openpty(3) without its name leak: master and slave, both close-on-exec.
int clx_openpty(int out[2]);
int clx_tty_get_size(int fd, uint16_t *rows, uint16_t *cols);
int clx_tty_set_size(int fd, uint16_t rows, uint16_t cols);
int clx_signalfd(const int *signals, int count);
int clx_signalfd_read(int fd);
int clx_block_signals(const int *signals, int count);
void clx_ignore_sigpipe(void);
#ifdef __cplusplus
}
#endif
