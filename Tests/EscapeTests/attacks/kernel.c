// Interfaces of the kernel that no function needs and many exploits begin with. Arguments are such that the control, which is root of
// the node, does nothing: what counts is how far the call gets.
#include "attack.h"
#include <linux/bpf.h>
#include <linux/io_uring.h>
#include <linux/keyctl.h>
#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <sys/uio.h>

static long ring(void) {
    struct io_uring_params parameters = {0};
    return syscall(SYS_io_uring_setup, 4, &parameters);
}

static long program(void) {
    const struct bpf_insn code[] = {{.code = 0xb7}, {.code = 0x95}};
    union bpf_attr attributes = {.prog_type = BPF_PROG_TYPE_SOCKET_FILTER, .insn_cnt = 2, .insns = (uintptr_t)code,
                                 .license = (uintptr_t) "GPL"};
    return syscall(SYS_bpf, BPF_PROG_LOAD, &attributes, sizeof attributes);
}

static long counter(void) {
    struct perf_event_attr attributes = {.type = PERF_TYPE_SOFTWARE, .size = sizeof attributes,
                                         .config = PERF_COUNT_SW_CPU_CLOCK};
    return syscall(SYS_perf_event_open, &attributes, 0, -1, -1, 0);
}

static long trace_child(void) {
    const pid_t pid = fork();
    if (pid == 0) { pause(); _exit(0); }
    const long result = ptrace(PTRACE_SEIZE, pid, 0, 0);
    const int error = errno;
    kill(pid, SIGKILL);
    waitpid(pid, 0, __WALL);
    errno = error;
    return result;
}

static long read_child(void) {
    static char secret[8] = "secret";
    char buffer[8];
    const pid_t pid = fork();
    if (pid == 0) { pause(); _exit(0); }
    struct iovec here = {buffer, 8}, there = {secret, 8};
    const long result = process_vm_readv(pid, &here, 1, &there, 1, 0);
    const int error = errno;
    kill(pid, SIGKILL);
    waitpid(pid, 0, __WALL);
    errno = error;
    return result;
}

// The "shocker": a handle names a file whatever directory hides it.
static long handle(void) {
    struct { struct file_handle head; char bytes[128]; } file = {.head = {.handle_bytes = 128}};
    int mount;
    if (name_to_handle_at(AT_FDCWD, "/tmp", &file.head, &mount, 0) != 0) return -1;
    const int root = open("/tmp", O_RDONLY | O_DIRECTORY);
    return open_by_handle_at(root, &file.head, O_RDONLY);
}

static void calls(void) {
    TRY("io_uring", ring());
    TRY("bpf", program());
    TRY("perf", counter());
    TRY("userfaultfd", syscall(SYS_userfaultfd, O_CLOEXEC));
    TRY_IN_CHILD("keyctl", syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, 0));
    TRY_IN_CHILD("add_key", syscall(SYS_add_key, "user", "hearth-escape", "x", 1, KEY_SPEC_PROCESS_KEYRING));
    TRY_IN_CHILD("request_key", syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 1));
    TRY("ptrace", trace_child());
    TRY("process_vm_readv", read_child());
    TRY("kcmp", syscall(SYS_kcmp, getpid(), getpid(), 0, 0, 0));
    const int self = (int)syscall(SYS_pidfd_open, getpid(), 0);
    TRY("pidfd_getfd", syscall(SYS_pidfd_getfd, self, 1, 0));
    TRY("open_by_handle_at", handle());
    TRY_IN_CHILD("fanotify", syscall(SYS_fanotify_init, 0, O_RDONLY));
    TRY_IN_CHILD("inotify", syscall(SYS_inotify_init1, 0));
    unsigned long context = 0;
    TRY_IN_CHILD("aio", syscall(SYS_io_setup, 4, &context));
    TRY_IN_CHILD("memfd_secret", syscall(SYS_memfd_secret, 0));
    // Wrong on purpose, after the kernel's test of privilege: with it, another error.
    TRY("init_module", syscall(SYS_init_module, 0, 0, ""));
    TRY("finit_module", syscall(SYS_finit_module, -1, "", 0));
    TRY("delete_module", syscall(SYS_delete_module, "hearth_no_such_module", O_NONBLOCK));
    TRY("kexec_load", syscall(SYS_kexec_load, 0, 0xffff, 0, 0));
    TRY("reboot", syscall(SYS_reboot, 0, 0, 0, 0));
    TRY("swapon", syscall(SYS_swapon, "/nowhere", 0));
    TRY("acct", syscall(SYS_acct, "/nowhere"));
    TRY("syslog", syscall(SYS_syslog, 10 /* SIZE_BUFFER */, 0, 0));
    struct timeval never = {.tv_sec = 1, .tv_usec = 2000000};
    TRY("settimeofday", syscall(SYS_settimeofday, &never, 0));
    struct timex ask = {.modes = ADJ_TICK, .tick = 1};
    TRY("adjtimex", syscall(SYS_adjtimex, &ask));
    TRY("sethostname", syscall(SYS_sethostname, "x", 4096));
    TRY("quotactl", syscall(SYS_quotactl, 0x80000100 /* Q_SYNC */, 0, 0, 0));
    TRY_IN_CHILD("personality", personality(ADDR_NO_RANDOMIZE));
    struct sched_param realtime = {.sched_priority = 1};
    TRY_IN_CHILD("realtime", sched_setscheduler(0, SCHED_FIFO, &realtime));
    TRY_IN_CHILD("nice", setpriority(PRIO_PROCESS, 0, -5));
    struct rlimit more = {1 << 19, 1 << 19};
    TRY_IN_CHILD("rlimit", setrlimit(RLIMIT_NOFILE, &more));
    void *page = mmap(0, 4096, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    TRY_IN_CHILD("mlock", mlock(page, 4096));
    TRY("sync", (syscall(SYS_sync), errno ? -1 : 0));
#ifdef __x86_64__
    TRY_IN_CHILD("iopl", syscall(SYS_iopl, 3));
    TRY_IN_CHILD("ioperm", syscall(SYS_ioperm, 0x80, 1, 1));
    char table[16];
    TRY("modify_ldt", syscall(SYS_modify_ldt, 0, table, 16));
#endif
}

#ifdef __x86_64__
// getpid by the numbers of another architecture.
static long by_interrupt(void) {
    long result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(20L) : "memory");
    return result > 0 ? 0 : (errno = ENOSYS, -1);
}
#endif

static void architectures(void) {
#ifdef __x86_64__
    TRY_IN_CHILD("int80", by_interrupt());
    TRY_IN_CHILD("x32", syscall(0x40000000 | SYS_getpid));
#endif
}

// Characters typed for whoever reads the terminal next (CVE-2017-5226).
static long type_character(void) {
    setsid();
    const int terminal = open("/dev/ptmx", O_RDWR | O_NOCTTY);
    if (terminal < 0) return -1;
    int unlocked = 0, number;
    char name[32];
    if (ioctl(terminal, TIOCSPTLCK, &unlocked) || ioctl(terminal, TIOCGPTN, &number)) return -1;
    snprintf(name, sizeof name, "/dev/pts/%d", number);
    const int slave = open(name, O_RDWR | O_NOCTTY);
    if (slave < 0 || ioctl(slave, TIOCSCTTY, 0)) return -1;
    return ioctl(slave, TIOCSTI, "x");
}

int main(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], "calls") == 0) calls();
    if (argc > 1 && strcmp(argv[1], "architectures") == 0) architectures();
    if (argc > 1 && strcmp(argv[1], "terminal") == 0) TRY_IN_CHILD("tiocsti", type_character());
    return 0;
}
