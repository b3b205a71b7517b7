#include "cnursery.h"
#include "simulated.h"

#include <setjmp.h>
#include <string.h>

// Not from their headers, which define `struct timeval` a second time beside the kernel's.
void *calloc(size_t count, size_t size);
void free(void *memory);
_Noreturn void abort(void);
int dprintf(int fd, const char *format, ...);

enum { DESCRIPTORS = 4096, PROCESSES = 256, MAPPINGS = 64, EVENTS = 512, CALLS = 400000 };
enum kind { CLOSED, PLAIN, PACKETS, LISTENER, PIDFD, SIGNALS };

static struct {
    struct sim_input input;
    size_t at;
    uint32_t random;
    uint8_t failures;
    int may_fail, hung_up, connections, control, calls, sent, pending_child;
    uint8_t kinds[DESCRIPTORS];
    int owners[DESCRIPTORS];  // a pidfd's process
    struct { int pid, alive; } processes[PROCESSES];
    int process_count, started;
    struct { void *address; size_t size; } mappings[MAPPINGS];
    uint32_t *gate;
    struct { int fd; uint64_t token; } events[EVENTS];
    int event_count;
    int64_t now;
    jmp_buf end, child_end;
    int in_child;
} world;

static unsigned char vfork_stack[16384], service_request[152 * 1024];
void *cn_vfork_stack_top(void) { return vfork_stack + sizeof vfork_stack; }
void *cn_service_request(size_t size) { return size <= sizeof service_request ? service_request : NULL; }

static _Noreturn void refuse(const char *why, long value) {
    dprintf(2, "simulated kernel: %s (%ld)\n", why, value);
    abort();
}

static uint32_t next_random(void) {
    uint32_t x = world.random;
    x ^= x << 13, x ^= x >> 17, x ^= x << 5;
    return world.random = x;
}

static int fails(void) { return world.may_fail && (next_random() >> 8) % 256 < world.failures; }

static long some_error(void) {
    static const int errors[] = {1, 2, 4, 11, 12, 13, 17, 20, 22, 24, 28, 40, 104};
    return -errors[next_random() % (sizeof errors / sizeof *errors)];
}

// Reads memory as the kernel would, so that the address sanitiser sees a bad pointer.
static void touch(const void *memory, size_t count) {
    volatile const uint8_t *bytes = memory;
    for (size_t i = 0; i < count; i++) (void)bytes[i];
}
static size_t text(long address) { return address == 0 ? 0 : strlen((const char *)address); }

static int registered(int fd) {
    for (int i = 0; i < world.event_count; i++)
        if (world.events[i].fd == fd) return i;
    return -1;
}

// ---- descriptors

static void need_open(long fd) {
    if (fd < 0 || fd >= DESCRIPTORS || world.kinds[fd] == CLOSED) refuse("a call with a descriptor that is not open", fd);
}
static long open_at_least(int minimum, enum kind kind, int owner) {
    for (int fd = minimum; fd < DESCRIPTORS; fd++) {
        if (world.kinds[fd] != CLOSED) continue;
        world.kinds[fd] = (uint8_t)kind, world.owners[fd] = owner;
        return fd;
    }
    refuse("descriptors have leaked", DESCRIPTORS);
}
static long close_one(long fd) {
    need_open(fd);
    // hearthd has a copy of every one of these, so the registration would outlive the descriptor.
    if (registered((int)fd) >= 0) refuse("closed a descriptor that epoll still watches", fd);
    world.kinds[fd] = CLOSED;
    return 0;
}

// ---- processes

static int is_alive(int pid) {
    for (int i = 0; i < world.process_count; i++)
        if (world.processes[i].pid == pid) return world.processes[i].alive;
    return 0;
}
static int start_process(void) {
    if (world.process_count == PROCESSES) return -CN_EAGAIN;
    int pid = 100 + world.started++;
    world.processes[world.process_count].pid = pid;
    world.processes[world.process_count++].alive = 1;
    return pid;
}
static void end_process(int pid) {
    for (int i = 0; i < world.process_count; i++)
        if (world.processes[i].pid == pid) world.processes[i].alive = 0;
}
static long reap(long pid, int *status) {
    for (int i = 0; i < world.process_count; i++) {
        if (world.processes[i].alive || (pid > 0 && world.processes[i].pid != pid)) continue;
        int found = world.processes[i].pid;
        world.processes[i] = world.processes[--world.process_count];
        *status = (int)(next_random() & 0xff7f);
        return found;
    }
    return pid > 0 && is_alive((int)pid) ? 0 : -10;  // ECHILD
}
static int any_dead(void) {
    for (int i = 0; i < world.process_count; i++)
        if (!world.processes[i].alive) return 1;
    return 0;
}

// ---- packets

// The next packet's length and descriptors; -1 at the end of the connection.
static int packet(const uint8_t **bytes, int *fds) {
    if (world.hung_up || world.input.count - world.at < 3) return -1;
    const uint8_t *at = world.input.bytes + world.at;
    size_t length = (size_t)at[0] | (size_t)at[1] << 8, rest = world.input.count - world.at - 3;
    if (at[2] == 255) return -1;
    // Two bytes cannot name the largest message; the top bit stands for four times the length.
    if (length > 0x7fff) length = (length & 0x7fff) * 4;
    *fds = at[2] % 20;
    *bytes = at + 3;
    return (int)(length < rest ? length : rest);
}
static void take_packet(int length) { world.at += 3 + (size_t)length; }

struct message_layout {
    void *name; uint32_t name_length; struct { void *base; size_t length; } *iov; size_t iov_count;
    uint8_t *control; size_t control_length; int flags;
};

static long receive(long fd, struct message_layout *message) {
    need_open(fd);
    const uint8_t *bytes = NULL;
    int sent_fds = 0, length = packet(&bytes, &sent_fds);
    message->flags = 0;
    if (length < 0) {
        world.hung_up = 1, message->control_length = 0;
        if (world.input.count - world.at >= 3) world.at += 3;
        return 0;
    }
    size_t taken = (size_t)length < message->iov->length ? (size_t)length : message->iov->length;
    memcpy(message->iov->base, bytes, taken);
    if (taken < (size_t)length) message->flags |= 0x20;  // MSG_TRUNC
    size_t room = message->control_length < 16 ? 0 : (message->control_length - 16) / 4;
    size_t passed = (size_t)sent_fds < room ? (size_t)sent_fds : room;
    if (passed < (size_t)sent_fds) message->flags |= 8;  // MSG_CTRUNC
    if (passed > 0) {
        size_t control = 16 + 4 * passed;
        int level = 1, type = 1;
        memcpy(message->control, &control, 8);
        memcpy(message->control + 8, &level, 4);
        memcpy(message->control + 12, &type, 4);
        for (size_t i = 0; i < passed; i++) {
            int arrived = (int)open_at_least(0, PLAIN, 0);
            memcpy(message->control + 16 + 4 * i, &arrived, 4);
        }
        message->control_length = control;
    } else {
        message->control_length = 0;
    }
    take_packet(length);
    return (long)taken;
}

static long transmit(long fd, const struct message_layout *message) {
    need_open(fd);
    touch(message->iov->base, message->iov->length);
    if (message->control_length > 0) {
        size_t length;
        memcpy(&length, message->control, sizeof length);
        for (size_t i = 16; i + 4 <= length; i += 4) {
            int passed;
            memcpy(&passed, message->control + i, 4);
            need_open(passed);
        }
    }
    world.sent++;
    return (long)message->iov->length;
}

// ---- waiting

static long epoll_change(int operation, int fd, const uint8_t *event) {
    need_open(fd);
    int at = registered(fd);
    if (operation == 2) {
        if (at < 0) return -CN_ENOENT;
        world.events[at] = world.events[--world.event_count];
        return 0;
    }
    if (at >= 0) return -CN_EEXIST;
    if (world.event_count == EVENTS || (world.kinds[fd] == PIDFD && fails())) return -CN_ENOSPC;
    world.events[world.event_count].fd = fd;
    memcpy(&world.events[world.event_count++].token, event + 4, 8);
    return 0;
}
static long epoll_take(uint8_t *out, long timeout) {
    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; i < world.event_count; i++) {
            int fd = world.events[i].fd, kind = world.kinds[fd];
            int ready = kind == PACKETS || (kind == PIDFD && !is_alive(world.owners[fd]) && any_dead()) ||
                        (kind == LISTENER && world.connections < 4 && world.input.count - world.at >= 3);
            // Deaths come in between the requests, never only after them.
            if (!ready || (pass == 0 && kind != PIDFD)) continue;
            memcpy(out + 4, &world.events[i].token, 8);
            return 1;
        }
    if (timeout < 0) refuse("an endless wait for nothing", timeout);
    world.now += timeout * 1000000 + 1000000;
    return 0;
}
static long poll_all(struct cn_pollfd *entries, unsigned count, long timeout) {
    long ready = 0;
    for (unsigned i = 0; i < count; i++) {
        need_open(entries[i].fd);
        int kind = world.kinds[entries[i].fd];
        int is_ready = kind == PACKETS || (kind == PIDFD && !is_alive(world.owners[entries[i].fd])) ||
                       (kind == SIGNALS && any_dead());
        entries[i].revents = is_ready ? 1 : 0;
        ready += is_ready;
    }
    if (ready == 0 && timeout == 0) return 0;
    return ready;
}

// ---- the end of programs

_Noreturn void cn_exit(int status) {
    (void)status;
    if (world.in_child) longjmp(world.child_end, 1);
    longjmp(world.end, 1);
}
int cn_argument_count(void) { return 0; }

// There is no segment of births to give back in a program of the host.
void cn_settle(void) {}
static long service_state[64];
void *cn_service_state(size_t size) { return size <= sizeof service_state ? service_state : NULL; }
_Noreturn void cn_serve(void (*fn)(void *)) {
    fn(service_state);
    abort();
}
void cn_leave_birth_stack(void) {}
void cn_release_stack(void) {}
char *cn_argument(int index) { return (void)index, NULL; }

long cn_vfork_call(void (*fn)(void *), void *arg, void *stack) {
    (void)stack;
    if (fails()) return -CN_EAGAIN;
    int pid = start_process();
    if (pid < 0) return pid;
    // The child has its own descriptors; ours come back with its end.
    static uint8_t kinds[DESCRIPTORS];
    memcpy(kinds, world.kinds, sizeof kinds);
    if (setjmp(world.child_end) == 0) {
        world.in_child = 1;
        fn(arg);
    }
    world.in_child = 0;
    memcpy(world.kinds, kinds, sizeof kinds);
    return pid;
}

// ---- system calls

long cn_call6(long n, long a, long b, long c, long d, long e, long f) {
    if (++world.calls > CALLS) refuse("it never ends", n);
    // What closes, waits or reads the input has rules of its own below; everything else may fail.
    switch (n) {
    case __NR_close: case __NR_munmap: case __NR_recvmsg: case __NR_epoll_pwait: case __NR_ppoll:
    case __NR_wait4: case __NR_clock_gettime: case __NR_futex: case __NR_getpid: case __NR_epoll_ctl: case __NR_read:
    case __NR_umask: case __NR_rt_sigaction: case __NR_mmap:
        break;
    default:
        if (fails()) return some_error();
    }
    switch (n) {
    case __NR_close: return close_one(a);
    case __NR_close_range:
        if ((unsigned)a > (unsigned)b) return -CN_EINVAL;
        for (long fd = a; fd < DESCRIPTORS && fd <= (long)(unsigned)b; fd++)
            if (!(c & CN_CLOSE_RANGE_CLOEXEC)) world.kinds[fd] = CLOSED;
        return 0;
    case __NR_fcntl:
        need_open(a);
        return open_at_least((int)c, world.kinds[a], world.owners[a]);
    case __NR_dup3:
        need_open(a);
        if (b < 0 || b >= DESCRIPTORS) refuse("dup3 to a place that is none", b);
        if (a == b) return -CN_EINVAL;
        world.kinds[b] = world.kinds[a], world.owners[b] = world.owners[a];
        return b;
    case __NR_openat: case __NR_openat2: case __NR_open_tree: {
        if (a != CN_AT_FDCWD) need_open(a);
        (void)text(b);
        if (n == __NR_openat2) {
            const struct open_how *how = (const struct open_how *)c;
            if ((how->resolve & CN_RESOLVE_STRICT) != CN_RESOLVE_STRICT) refuse("a path that may leave its place", n);
            if (*(const char *)b == '/') return -18;  // EXDEV, as RESOLVE_BENEATH has it
        }
        return open_at_least(0, PLAIN, 0);
    }
    case __NR_fsopen: return text(a), open_at_least(0, PLAIN, 0);
    case __NR_fsmount: return need_open(a), open_at_least(0, PLAIN, 0);
    case __NR_fsconfig: return need_open(a), text(c), text(d), 0;
    case __NR_mount_setattr: return need_open(a), 0;
    case __NR_move_mount:
        // The kernel reads 32 bits of a descriptor.
        need_open((int)a);
        if ((int)c != CN_AT_FDCWD) need_open((int)c);
        return text(b), text(d), 0;
    case __NR_mkdirat: case __NR_mknodat: case __NR_fchmodat: return text(b), 0;
    case __NR_symlinkat: return text(a), text(c), 0;
    case __NR_chdir: case __NR_umount2: return text(a), 0;
    case __NR_getcwd: return b < 2 ? -34 : (memcpy((void *)a, "/", 2), 2);
    case __NR_setns: case __NR_fchdir: return need_open(a), 0;
    case __NR_ioctl: return need_open(a), 0;
    case __NR_sethostname: return touch((void *)a, (size_t)b), 0;
    case __NR_write: return need_open(a), touch((void *)b, (size_t)c), c;
    case __NR_read: return need_open(a), -CN_EAGAIN;
    case __NR_mmap: {
        void *memory = calloc(1, (size_t)b);
        for (int i = 0; i < MAPPINGS; i++) {
            if (world.mappings[i].address != NULL) continue;
            world.mappings[i].address = memory, world.mappings[i].size = (size_t)b;
            if (d & 1) world.gate = memory;  // shared: the gate of births
            return (long)memory;
        }
        refuse("mappings have leaked", MAPPINGS);
    }
    case __NR_munmap:
        for (int i = 0; i < MAPPINGS; i++) {
            if (world.mappings[i].address != (void *)a) continue;
            if (world.mappings[i].size != (size_t)b) refuse("unmapped with another size", b);
            free(world.mappings[i].address);
            world.mappings[i].address = NULL;
            return 0;
        }
        refuse("unmapped what was not mapped", a);
    case __NR_futex:
        // The child that the nursery waits for has its own descriptors by now, unless it died at birth.
        if ((b & 0x7f) == 0 && world.gate != NULL && (next_random() & 3) != 0) world.gate[1] = world.gate[0];
        return 0;
    case __NR_clone3: {
        struct clone_args *args = (struct clone_args *)a;
        touch(args, (size_t)b);
        need_open((long)args->cgroup);
        int pid = start_process();
        if (pid < 0) return pid;
        *(int *)args->pidfd = (int)open_at_least(0, PIDFD, pid);
        if (world.may_fail && (next_random() & 15) == 0) end_process(pid);
        return pid;
    }
    case __NR_pidfd_open: return open_at_least(0, PIDFD, (int)a);
    case __NR_pidfd_send_signal:
        need_open(a);
        if (world.kinds[a] != PIDFD || b != CN_SIGKILL) refuse("a signal that the nursery never sends", b);
        if (!is_alive(world.owners[a])) return -CN_ESRCH;
        end_process(world.owners[a]);
        return 0;
    case __NR_kill:
        if (b < 0 || b > 64) refuse("a signal number that is none", b);
        if (a == -1) {
            for (int i = 0; i < world.process_count; i++)
                if (b == CN_SIGKILL) world.processes[i].alive = 0;
            return world.process_count > 0 ? 0 : -CN_ESRCH;
        }
        if (a <= 1) refuse("a signal to everybody", a);
        if (b != 0) end_process((int)a);
        return 0;
    case __NR_wait4: {
        int status = 0;
        long pid = reap(a, &status);
        memcpy((void *)b, &status, sizeof status);
        memset((void *)d, 0, sizeof(struct rusage));
        return pid;
    }
    case __NR_execve:
        (void)text(a);
        for (char *const *p = (char *const *)b; *p != NULL; p++) touch(*p, strlen(*p));
        for (char *const *p = (char *const *)c; *p != NULL; p++) touch(*p, strlen(*p));
        if (!world.in_child) refuse("a program in place of PID 1", n);
        if (next_random() & 1) return (next_random() & 1) ? -CN_ENOENT : -CN_EACCES;
        longjmp(world.child_end, 1);
    case __NR_seccomp: {
        struct { unsigned short length; const void *filter; } *program = (void *)c;
        touch(program->filter, (size_t)program->length * 8);
        return 0;
    }
    case __NR_prlimit64: return touch((void *)c, 16), 0;
    case __NR_capset: return touch((void *)b, 24), 0;
    case __NR_signalfd4: return open_at_least(0, SIGNALS, 0);
    case __NR_socket: return open_at_least(0, PLAIN, 0);
    case __NR_epoll_create1: return open_at_least(0, PLAIN, 0);
    case __NR_epoll_ctl: return need_open(a), epoll_change((int)b, (int)c, (const uint8_t *)d);
    case __NR_epoll_pwait: return need_open(a), epoll_take((uint8_t *)b, d);
    case __NR_ppoll: {
        const int64_t *limit = (const int64_t *)c;
        return poll_all((struct cn_pollfd *)a, (unsigned)b, limit == NULL ? -1 : (long)(limit[0] * 1000 + limit[1] / 1000000));
    }
    case __NR_accept4:
        need_open(a);
        world.connections++, world.hung_up = 0;
        return open_at_least(0, PACKETS, 0);
    case __NR_getsockopt: {
        // root, hearthd's user, or somebody else.
        unsigned uid = (next_random() & 7) == 0 ? 1000 : (next_random() & 1) ? 990 : 0;
        need_open(a);
        memcpy((uint8_t *)d + 4, &uid, sizeof uid);
        return 0;
    }
    case __NR_recvmsg:
        // Whoever does not wait finds nothing now and then.
        if (c & CN_MSG_DONTWAIT && next_random() % 8 == 0) return need_open(a), -CN_EAGAIN;
        return receive(a, (struct message_layout *)b);
    case __NR_sendmsg: return transmit(a, (const struct message_layout *)b);
    case __NR_clock_gettime: {
        int64_t now[2] = {(world.now += 1000) / 1000000000, world.now % 1000000000};
        memcpy((void *)b, now, sizeof now);
        return 0;
    }
    case __NR_getpid: return 1;
    case __NR_umask: case __NR_unshare: case __NR_prctl: case __NR_setsid: case __NR_setresuid: case __NR_setresgid:
    case __NR_setgroups: case __NR_keyctl: case __NR_pivot_root: case __NR_mount: case __NR_rt_sigaction:
    case __NR_rt_sigprocmask: case __NR_landlock_create_ruleset: case __NR_landlock_restrict_self: case __NR_madvise:
        return 0;
    default:
        (void)f;
        return -CN_ENOSYS;
    }
}

// ---- a run

void sim_run(struct sim_input input, int control, void (*body)(void)) {
    memset(&world, 0, sizeof world);
    world.input = input;
    world.failures = input.count > 0 ? input.bytes[0] : 0;
    world.random = 1;
    for (size_t i = 1; i < 5 && i < input.count; i++) world.random = world.random * 257 + input.bytes[i];
    if (world.random == 0) world.random = 1;
    world.at = input.count < 5 ? input.count : 5;
    world.control = control;
    for (int fd = 0; fd < 3; fd++) world.kinds[fd] = PLAIN;
    world.kinds[3] = LISTENER;
    if (control >= 0) world.kinds[control] = PACKETS;
    if (setjmp(world.end) == 0) body();
    for (int i = 0; i < MAPPINGS; i++) free(world.mappings[i].address);
    int open = 0;
    for (int fd = 0; fd < DESCRIPTORS; fd++) open += world.kinds[fd] != CLOSED;
    // Each living sandbox has its pidfd, hearthd's end and up to four kept; the rest is the nursery's own.
    if (open > 64 + 6 * world.process_count) refuse("descriptors left open", open);
}

void sim_allow_failures(void) { world.may_fail = 1; }
int sim_sent(void) { return world.sent; }
