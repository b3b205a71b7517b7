#define _GNU_SOURCE
#include "floor.h"
#include "raw.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { STACK_SIZE = 32 * 1024, ID_COUNT = 65536, FIRST_ID = 1 << 20, RANGES = 4096 };

// What the parent and its child, which share memory until the exec, tell each other.
struct birth {
    _Atomic uint32_t mapped;
    const struct sandbox_factory *factory;
    struct sandbox_trace *trace;
    const char *step;  // where the child is; with `error`, where it failed
    long error;
};

#define DENY(name) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_##name, 0, 1), \
                   BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM)
#if defined(__x86_64__)
#define NATIVE_ARCH AUDIT_ARCH_X86_64
#else
#define NATIVE_ARCH AUDIT_ARCH_AARCH64
#endif
static struct sock_filter filter_code[] = {
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NATIVE_ARCH, 1, 0),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
    DENY(mount), DENY(umount2), DENY(pivot_root), DENY(unshare), DENY(setns), DENY(bpf), DENY(ptrace),
    DENY(keyctl), DENY(perf_event_open), DENY(init_module), DENY(kexec_load), DENY(open_by_handle_at),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
};
static struct sock_fprog filter = {.len = sizeof filter_code / sizeof *filter_code, .filter = filter_code};

// ---- the child: raw system calls only, from the clone to the exec

static void mark(struct birth *birth, const char *name) {
    struct sandbox_trace *trace = birth->trace;
    if (!trace || trace->count == SANDBOX_TRACE_STEPS) return;
    struct timespec now;
    raw2(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
    trace->name[trace->count] = name;
    trace->at[trace->count++] = now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static int give_up(struct birth *birth, long result) {
    birth->error = -result;
    int64_t never = 0;
    raw3(SYS_write, birth->factory->output[1], &never, sizeof never);
    return 1;
}

#define TRY(what, call)                                          \
    do {                                                         \
        birth->step = what;                                      \
        long result_ = (call);                                   \
        if (result_ < 0) return give_up(birth, result_);         \
    } while (0)

static long wait_for_map(struct birth *birth) {
    // On two free CPUs the parent is done before the child asks; a short spin saves the wake-up when it nearly is.
    for (int i = 0; i < 64; i++) {
        if (birth->mapped) return 0;
        raw_relax();
    }
    // Bounded: a parent that died before PR_SET_PDEATHSIG sends no signal, and across the pid namespace getppid(2)
    // cannot tell.
    struct timespec patience = {.tv_sec = 10};
    while (!birth->mapped) {
        long result = raw4(SYS_futex, &birth->mapped, FUTEX_WAIT_PRIVATE, 0, &patience);
        if (result == -ETIMEDOUT) return result;
    }
    return 0;
}

static int child(void *argument) {
    struct birth *birth = argument;
    mark(birth, "clone");
    TRY("PR_SET_PDEATHSIG", raw2(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL));
    TRY("unshare the cgroup namespace", raw1(SYS_unshare, CLONE_NEWCGROUP));
    TRY("host name", raw2(SYS_sethostname, "sandbox", 7));
    TRY("session", raw0(SYS_setsid));
    mark(birth, "cgroupns");
    TRY("bind the image", raw4(SYS_mount, "/image", "/image", 0, MS_BIND | MS_REC));
    TRY("chdir to the image", raw1(SYS_chdir, "/image"));
    mark(birth, "image");
    TRY("mount /proc", raw4(SYS_mount, "proc", "proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC));
    mark(birth, "proc");
    TRY("wait for the id map", wait_for_map(birth));
    mark(birth, "idmap");
    TRY("setgroups", raw2(SYS_setgroups, 0, 0));
    TRY("setresgid", raw3(SYS_setresgid, 0, 0, 0));
    TRY("setresuid", raw3(SYS_setresuid, 0, 0, 0));
    TRY("mount /tmp", raw5(SYS_mount, "tmp", "tmp", "tmpfs", MS_NOSUID | MS_NODEV, "size=64m,mode=1777"));
    TRY("mount /dev/shm",
        raw5(SYS_mount, "shm", "dev/shm", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "size=16m,mode=1777"));
    mark(birth, "tmpfs x2");
    TRY("pivot_root", raw2(SYS_pivot_root, ".", "."));
    mark(birth, "pivot");
    TRY("detach the old root", raw2(SYS_umount2, ".", MNT_DETACH));
    TRY("chdir to /", raw1(SYS_chdir, "/"));
    mark(birth, "detach");
    for (int capability = 0;; capability++) {
        long result = raw2(SYS_prctl, PR_CAPBSET_DROP, capability);
        if (result == -EINVAL) break;  // past the last capability of this kernel
        TRY("drop the bounding set", result);
    }
    TRY("setresgid to the program's", raw3(SYS_setresgid, 1000, 1000, 1000));
    TRY("setresuid to the program's", raw3(SYS_setresuid, 1000, 1000, 1000));
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    struct __user_cap_data_struct none[2] = {{0}, {0}};
    TRY("drop capabilities", raw2(SYS_capset, &header, none));
    TRY("PR_SET_PDEATHSIG again", raw2(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL));  // setresuid clears it
    TRY("stdout", raw3(SYS_dup3, birth->factory->output[1], 1, 0));
    mark(birth, "credentials");
    TRY("no_new_privs", raw5(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    TRY("seccomp", raw3(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter));
    mark(birth, "seccomp");
    const char *const arguments[] = {"/app/program", birth->factory->argument, NULL};
    static char *const environment[] = {NULL};
    TRY("exec the program", raw3(SYS_execve, "/app/program", arguments, environment));
    return 1;
}

// ---- the parent

static void write_map(int proc, long pid, const char *name, const char *text, size_t length) {
    char path[64];
    snprintf(path, sizeof path, "%ld/%s", pid, name);
    int fd = openat(proc, path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, text, length) != (ssize_t)length)
        fail(errno, "run it as root in the first user namespace", "/proc/%s cannot be written", path);
    close(fd);
}

static void map_ids(const struct sandbox_factory *factory, long pid) {
    char text[64];
    unsigned long first = FIRST_ID + factory->made % RANGES * ID_COUNT;
    size_t length = (size_t)snprintf(text, sizeof text, "0 %lu %d\n", first, ID_COUNT);
    write_map(factory->stage.proc, pid, "uid_map", text, length);
    write_map(factory->stage.proc, pid, "gid_map", text, length);
}

// The program's stamp; fails when it dies or says nothing for ten seconds.
static int64_t read_stamp(const struct sandbox_factory *factory, int pidfd, const struct birth *birth) {
    static const char remedy[] = "check that the program is a static executable that writes its CLOCK_MONOTONIC "
                                 "nanoseconds (8 bytes) to stdout";
    struct pollfd ready[2] = {{.fd = factory->output[0], .events = POLLIN}, {.fd = pidfd, .events = POLLIN}};
    int count;
    do count = poll(ready, 2, 10000);
    while (count < 0 && errno == EINTR);
    int64_t stamp = 0;
    if (!(ready[0].revents & POLLIN)) fail(0, remedy, "the program %s", count ? "ended without a stamp" : "hangs");
    if (read(factory->output[0], &stamp, sizeof stamp) != sizeof stamp) fail(0, remedy, "the stamp is too short");
    if (stamp == 0) fail((int)birth->error, "see the step's manual page", "the sandbox failed at: %s", birth->step);
    return stamp;
}

// Up to the program's stamp, which it returns; the program runs on.
static int64_t begin(struct sandbox_factory *factory, struct sandbox_trace *trace, int *pidfd) {
    unsigned long id = factory->made++;
    if (factory->cgroup_policy != CGROUP_TIMED && factory->cgroup < 0)
        factory->cgroup = cgroup_leaf_create(&factory->cgroups, id);
    struct birth birth = {.factory = factory, .trace = trace};
    struct clone_args args = {
        .flags = CLONE_VM | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS |
                 CLONE_INTO_CGROUP | CLONE_PIDFD | CLONE_CLEAR_SIGHAND,
        .pidfd = (uint64_t)(uintptr_t)pidfd,
        .exit_signal = SIGCHLD,
        .stack = (uint64_t)(uintptr_t)factory->stack,
        .stack_size = STACK_SIZE,
    };
    if (factory->netns_count == 0) args.flags |= CLONE_NEWNET;
    if (trace) trace->count = 0;

    factory->started = monotonic_ns();
    if (factory->cgroup < 0) factory->cgroup = cgroup_leaf_create(&factory->cgroups, id);
    args.cgroup = (uint64_t)factory->cgroup;
    if (factory->netns_count > 0 && setns(factory->netns[id % factory->netns_count], CLONE_NEWNET) < 0)
        fail(errno, "run it as root", "a network namespace made ahead cannot be entered");
    long pid = raw_clone(&args, sizeof args, child, &birth);
    if (pid < 0) fail((int)-pid, "run it as root on Linux 5.7 or later", "clone3 failed");
    map_ids(factory, pid);
    birth.mapped = 1;
    syscall(SYS_futex, &birth.mapped, FUTEX_WAKE_PRIVATE, 1);

    return read_stamp(factory, *pidfd, &birth);
}

void sandbox_hold(struct sandbox_factory *factory) {
    int pidfd = -1;
    begin(factory, NULL, &pidfd);
    close(factory->cgroup);
    factory->cgroup = -1;
    factory->cgroups.leaf[0] = 0;
    factory->cgroups.held = factory->made;
}

int64_t sandbox_create(struct sandbox_factory *factory, struct sandbox_trace *trace) {
    int pidfd = -1;
    int64_t stamp = begin(factory, trace, &pidfd);
    siginfo_t end;
    while (waitid(P_PIDFD, (id_t)pidfd, &end, WEXITED) < 0)
        if (errno != EINTR) fail(errno, "report it", "the sandbox cannot be reaped");
    if (end.si_code != CLD_EXITED || end.si_status != 0)
        fail(0, "run the program outside first", "the program ended with %s %d",
             end.si_code == CLD_EXITED ? "status" : "signal", end.si_status);
    close(pidfd);
    if (factory->cgroup_policy != CGROUP_REUSED) {
        close(factory->cgroup);
        factory->cgroup = -1;
        cgroup_leaf_remove(&factory->cgroups);
    }
    return stamp - factory->started;
}

// ---- what all creations share

static void make_netns_ahead(struct sandbox_factory *factory, size_t count) {
    factory->netns = calloc(count ? count : 1, sizeof *factory->netns);
    factory->netns_count = count;
    for (size_t i = 0; i < count; i++) {
        if (unshare(CLONE_NEWNET) < 0) fail(errno, "run it as root", "a network namespace cannot be made");
        factory->netns[i] = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
        if (factory->netns[i] < 0) fail(errno, "mount /proc", "/proc/self/ns/net cannot be opened");
    }
}

void sandbox_factory_open(struct sandbox_factory *factory, const struct sandbox_options *options) {
    memset(factory, 0, sizeof *factory);
    factory->cgroup_policy = options->cgroup;
    factory->argument = options->argument;
    factory->cgroup = -1;
    if (pipe2(factory->output, O_CLOEXEC) < 0) fail(errno, "raise ulimit -n", "no pipe");
    factory->stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (factory->stack == MAP_FAILED) fail(errno, "free some memory", "no stack for the child");
    make_netns_ahead(factory, options->netns_ahead);
    cgroup_tree_create(&factory->cgroups);
    stage_enter(&factory->stage, options->program);
}

void sandbox_factory_close(struct sandbox_factory *factory) {
    for (size_t i = 0; i < factory->netns_count; i++) close(factory->netns[i]);
    free(factory->netns);
    munmap(factory->stack, STACK_SIZE);
    close(factory->output[0]);
    close(factory->output[1]);
    close(factory->stage.proc);
    if (factory->cgroup >= 0) close(factory->cgroup);
    cgroup_tree_remove(&factory->cgroups);
}
