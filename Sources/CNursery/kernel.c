// The calls whose arguments are too intricate to be written in Swift.
#include "cnursery.h"

struct message { void *name; uint32_t name_length; void *iov; size_t iov_count; void *control; size_t control_length; int flags; };
struct control { size_t length; int level, type; int fds[16]; };
enum { SOL_SOCKET_ = 1, SCM_RIGHTS_ = 1, CMSG_CLOEXEC_ = 0x40000000, NOSIGNAL_ = 0x4000, CTRUNC_ = 8, TRUNC_ = 0x20 };

void cn_receive(int fd, void *buffer, size_t capacity, int flags, struct cn_packet *out) {
    struct { void *base; size_t length; } iov = {buffer, capacity};
    struct control control;
    struct message message = {.iov = &iov, .iov_count = 1, .control = &control, .control_length = sizeof control};
    out->count = 0;
    out->length = cn_call3(__NR_recvmsg, fd, (long)&message, flags | CMSG_CLOEXEC_);
    if (out->length < 0) return;
    const size_t header = offsetof(struct control, fds);
    if (message.control_length >= header && control.level == SOL_SOCKET_ && control.type == SCM_RIGHTS_)
        for (size_t at = header; at + sizeof(int) <= control.length && out->count < 16; at += sizeof(int))
            out->fds[out->count++] = control.fds[(at - header) / sizeof(int)];
    if (message.flags & (CTRUNC_ | TRUNC_)) {
        while (out->count > 0) cn_close(out->fds[--out->count]);
        out->length = -CN_EPROTO;
    }
}

long cn_send(int fd, const void *bytes, size_t length, const int *fds, int count, int flags) {
    struct { const void *base; size_t length; } iov = {bytes, length};
    struct control control = {.length = offsetof(struct control, fds) + sizeof(int) * (size_t)count,
                              .level = SOL_SOCKET_, .type = SCM_RIGHTS_};
    for (int i = 0; i < count; i++) control.fds[i] = fds[i];
    struct message message = {.iov = &iov, .iov_count = 1};
    if (count > 0) {
        message.control = &control;
        message.control_length = (control.length + 7) & ~(size_t)7;
    }
    return cn_call3(__NR_sendmsg, fd, (long)&message, flags | NOSIGNAL_);
}

struct event {
    uint32_t events;
    uint64_t token;
}
#if defined(__x86_64__)
__attribute__((packed))
#endif
;
long cn_epoll_add(int epfd, int fd, uint64_t token) {
    struct event event = {CN_EPOLLIN, token};
    return cn_call4(__NR_epoll_ctl, epfd, 1, fd, (long)&event);
}
long cn_epoll_del(int epfd, int fd) {
    struct event event = {0, 0};
    return cn_call4(__NR_epoll_ctl, epfd, 2, fd, (long)&event);
}
long cn_epoll_wait(int epfd, uint64_t *token, int timeout_ms) {
    struct event event;
    long r = cn_call6(__NR_epoll_pwait, epfd, (long)&event, 1, timeout_ms, 0, 8);
    if (r == 1) *token = event.token;
    return r;
}

long cn_futex_wait(uint32_t *word, uint32_t expected, int timeout_ms) {
    int64_t timeout[2] = {timeout_ms / 1000, (timeout_ms % 1000) * 1000000LL};
    return cn_call6(__NR_futex, (long)word, 0 /* FUTEX_WAIT */, expected, (long)timeout, 0, 0);
}

int64_t cn_now(void) {
    int64_t ts[2] = {0, 0};
    cn_call2(__NR_clock_gettime, 1, (long)ts);
    return ts[0] * 1000000000LL + ts[1];
}

// ioctl(SIOCSIFFLAGS) with IFF_UP on `lo` of the current network namespace (netdevice(7)).
long cn_loopback_up(void) {
    long fd = cn_call3(__NR_socket, 2 /* AF_INET */, 2 /* SOCK_DGRAM */ | O_CLOEXEC, 0);
    if (fd < 0) return fd;
    struct { char name[16]; short flags; char rest[22]; } request = {.name = "lo", .flags = 1};
    long r = cn_ioctl((int)fd, 0x8914, &request);
    cn_close((int)fd);
    return r;
}
