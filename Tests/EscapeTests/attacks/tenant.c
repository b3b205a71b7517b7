// Two tenants. `victim` leaves something behind in every place where another process might find it, says "ready" and waits;
// `attacker` looks for all of it.
#include "attack.h"
#include <arpa/inet.h>
#include <dirent.h>
#include <linux/keyctl.h>
#include <mqueue.h>
#include <netinet/in.h>
#include <stddef.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/ptrace.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/un.h>

enum { KEY = 0x48454152, PORT = 4711 };
#define SECRET "hearth-escape-secret"

static struct sockaddr_un abstract_name(socklen_t *length) {
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    memcpy(name.sun_path, "\0" SECRET, sizeof SECRET);
    *length = offsetof(struct sockaddr_un, sun_path) + sizeof SECRET;
    return name;
}
static const struct sockaddr_in loopback = {.sin_family = AF_INET};

static struct sockaddr_in port(void) {
    struct sockaddr_in name = loopback;
    name.sin_port = htons(PORT);
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return name;
}

static int victim(void) {
    socklen_t length;
    const struct sockaddr_un name = abstract_name(&length);
    const int local = socket(AF_UNIX, SOCK_STREAM, 0), net = socket(AF_INET, SOCK_STREAM, 0);
    const struct sockaddr_in where = port();
    if (bind(local, (const struct sockaddr *)&name, length) || listen(local, 8)) return 1;
    if (bind(net, (const struct sockaddr *)&where, sizeof where) || listen(net, 8)) return 2;
    const int shm = shmget(KEY, 4096, IPC_CREAT | 0666);
    if (shm < 0 || semget(KEY, 1, IPC_CREAT | 0666) < 0) return 3;
    strcpy(shmat(shm, 0, 0), SECRET);
    // The last two are not to be had inside.
    if (msgget(KEY, IPC_CREAT | 0666) < 0 && errno != ENOSYS) return 4;
    if (mq_open("/" SECRET, O_CREAT | O_RDWR, 0666, 0) < 0 && errno != ENOSYS) return 5;
    const int posix = shm_open("/" SECRET, O_CREAT | O_RDWR, 0666);
    const int file = open("/tmp/" SECRET, O_CREAT | O_RDWR, 0666);
    if (posix < 0 || file < 0 || write(file, SECRET, sizeof SECRET) < 0) return 6;
    if (syscall(SYS_add_key, "user", SECRET, "x", 1, KEY_SPEC_USER_KEYRING) < 0 && errno != EPERM) return 7;
    // Waits to be traced by whoever can.
    prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
    printf("ready %d\n", getpid());
    fflush(stdout);
    for (;;) pause();
    return 0;
}

// Runs `look` for each process in /proc that is none of ours and not the first one; how many it liked.
static int others(int (*look)(int pid)) {
    int count = 0;
    DIR *proc = opendir("/proc");
    for (struct dirent *entry; proc && (entry = readdir(proc));) {
        const int pid = atoi(entry->d_name);
        if (pid > 1 && pid != getpid() && pid != getppid()) count += look(pid);
    }
    if (proc) closedir(proc);
    return count;
}
static int any(int pid) { (void)pid; return 1; }
static int tells(int pid) {
    char path[64], text[8192];
    snprintf(path, sizeof path, "/proc/%d/environ", pid);
    const int fd = open(path, O_RDONLY);
    if (fd < 0) return 0;
    const ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    return n > 0 && memmem(text, (size_t)n, SECRET, sizeof SECRET - 1) != 0;
}
static void found(const char *name, int count) { say(name, count ? "ok" : "none"); }

static long connect_local(void) {
    socklen_t length;
    const struct sockaddr_un name = abstract_name(&length);
    return connect(socket(AF_UNIX, SOCK_STREAM, 0), (const struct sockaddr *)&name, length);
}
static long connect_port(void) {
    const struct sockaddr_in name = port();
    return connect(socket(AF_INET, SOCK_STREAM, 0), (const struct sockaddr *)&name, sizeof name);
}
static long bind_port(void) {
    const struct sockaddr_in name = port();
    return bind(socket(AF_INET, SOCK_STREAM, 0), (const struct sockaddr *)&name, sizeof name);
}

// A lease tells who opens a file that all tenants share.
static long lease(const char *path) { return fcntl(open(path, O_RDONLY), F_SETLEASE, F_RDLCK); }
static long note(const char *path) { return fcntl(open(path, O_RDONLY | O_DIRECTORY), F_NOTIFY, DN_ACCESS); }
// A lock that keeps others from writing needs a descriptor that may write: on the shared image there is none.
static long write_lock(const char *path) {
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    return fcntl(open(path, O_RDWR), F_SETLK, &lock);
}

static int attacker(int pid) {
    signal(SIGIO, SIG_IGN);  // what a note or a lease of the control brings
    TRY("abstract", connect_local());
    TRY("loopback", connect_port());
    TRY("port.bind", bind_port());
    TRY("shm.sysv", shmget(KEY, 0, 0));
    TRY("sem.sysv", semget(KEY, 0, 0));
    TRY("msg.sysv", msgget(KEY, 0));
    TRY("shm.posix", shm_open("/" SECRET, O_RDONLY, 0));
    TRY("mq.posix", mq_open("/" SECRET, O_RDONLY));
    TRY("file", can_open("/tmp/" SECRET, O_RDONLY));
    TRY("key", syscall(SYS_keyctl, KEYCTL_SEARCH, KEY_SPEC_USER_KEYRING, "user", SECRET, 0));
    TRY("signal", kill(pid, 0));
    TRY("ptrace", ptrace(PTRACE_SEIZE, pid, 0, 0));
    TRY("lease", lease("/usr/lib/os-release"));
    TRY("notify", note("/usr/lib"));
    TRY("lock", write_lock("/usr/lib/os-release"));
    found("processes", others(any));
    found("environment", others(tells));
    return 0;
}

// Holds `count` processes for as long as it lives.
static int crowd(int count) {
    int made = 0;
    for (; made < count; made++) {
        const pid_t pid = fork();
        if (pid < 0) break;
        if (pid == 0) for (;;) pause();
    }
    printf("crowd %d\nready %d\n", made, getpid());
    fflush(stdout);
    for (;;) pause();
    return 0;
}

int main(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], "victim") == 0) return victim();
    if (argc > 2 && strcmp(argv[1], "attacker") == 0) return attacker(atoi(argv[2]));
    if (argc > 2 && strcmp(argv[1], "crowd") == 0) return crowd(atoi(argv[2]));
    return 64;
}
