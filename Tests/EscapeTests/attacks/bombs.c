// Programs that take of one thing as much as there is, say how much that was, and go on trying for the seconds of argv[2].
#include "attack.h"
#include <sys/inotify.h>
#include <sys/ipc.h>
#include <sys/shm.h>
#include <sys/un.h>
#include <time.h>

static double deadline;
static long most = 200000;  // argv[3]: a control takes no more than it must to be one
static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

// How much was had, and what the end of it was.
static void limit(const char *name, long count) {
    const int error = errno;
    printf("%s %ld\n", name, count);
    char text[64];
    snprintf(text, sizeof text, "%s.end", name);
    say(text, error ? strerrorname_np(error) : "no limit");
}

static void forks(void) {
    long count = 0;
    errno = 0;
    // Each child works too: that is what the neighbour must not feel too much.
    for (; count < most; count++) {
        const pid_t pid = fork();
        if (pid < 0) break;
        if (pid == 0) { prctl(PR_SET_PDEATHSIG, SIGKILL); while (now() < deadline) { } _exit(0); }
    }
    limit("fork", count);
    while (now() < deadline) if (fork() == 0) _exit(0); else waitpid(-1, 0, WNOHANG);
}

static void memory(void) {
    const size_t step = 1 << 20;
    long count = 0;
    errno = 0;
    for (; count < 4096; count++) {
        char *block = mmap(0, step, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (block == MAP_FAILED) break;
        memset(block, 1, step);
    }
    limit("memory", count);
}

static void fill(const char *name, const char *path) {
    static char block[1 << 16];
    const int fd = open(path, O_CREAT | O_WRONLY, 0600);
    long count = 0;
    errno = 0;
    for (ssize_t n; count < 1 << 16 && (n = write(fd, block, sizeof block)) > 0;) count++;
    limit(name, count);
    unlink(path);
    close(fd);
}

static void files(void) {
    char path[64];
    long count = 0;
    errno = 0;
    for (; count < most; count++) {
        snprintf(path, sizeof path, "/tmp/f%ld", count);
        const int fd = open(path, O_CREAT | O_WRONLY, 0600);
        if (fd < 0) break;
        close(fd);
    }
    limit("files", count);
}

static void descriptors(void) {
    long count = 0;
    errno = 0;
    while (count < most && dup(1) >= 0) count++;
    limit("fd", count);
}

// Kernel memory behind pipes that nobody reads: as many and as large as one may have.
static void pipes(void) {
    static char block[1 << 16];
    long bytes = 0;
    int ends[2];
    errno = 0;
    while (bytes < 4L << 30 && pipe2(ends, O_NONBLOCK) == 0) {
        fcntl(ends[1], F_SETPIPE_SZ, 1 << 20);
        for (ssize_t n; (n = write(ends[1], block, sizeof block)) > 0;) bytes += n;
        errno = 0;
    }
    const int error = errno;
    printf("pipe.mib %ld\n", bytes >> 20);
    errno = error;
    limit("pipe", bytes >> 20);
}

static void watches(void) {
    errno = 0;
    const int fd = inotify_init1(0);
    long count = 0;
    if (fd >= 0 && inotify_add_watch(fd, "/tmp", IN_ALL_EVENTS) >= 0) count++;
    limit("inotify", count);
}

static void segments(void) {
    long count = 0;
    errno = 0;
    for (; count < 100000; count++) if (shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0600) < 0) break;
    limit("shm", count);
}

// Descriptors in flight, which no process holds.
static void in_flight(void) {
    int pair[2];
    long count = 0;
    errno = 0;
    if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, pair) == 0)
        for (; count < most; count++) {
            char control[CMSG_SPACE(sizeof(int))] = {0}, byte = 0;
            struct iovec data = {&byte, 1};
            struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
            struct cmsghdr *head = CMSG_FIRSTHDR(&message);
            head->cmsg_level = SOL_SOCKET;
            head->cmsg_type = SCM_RIGHTS;
            head->cmsg_len = CMSG_LEN(sizeof(int));
            memcpy(CMSG_DATA(head), &pair[0], sizeof(int));
            if (sendmsg(pair[1], &message, 0) < 0) {
                if (errno != EAGAIN) break;
                if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, pair) < 0) break;
            }
        }
    limit("flight", count);
}

int main(int argc, char **argv) {
    const char *what = argc > 1 ? argv[1] : "";
    deadline = now() + (argc > 2 ? atof(argv[2]) : 0);
    if (argc > 3) most = atol(argv[3]);
    do {
        if (strcmp(what, "fork") == 0) forks();
        if (strcmp(what, "memory") == 0) memory();
        if (strcmp(what, "tmpfs") == 0) { fill("tmp", "/tmp/fill"); fill("shm.fs", "/dev/shm/fill"); files(); }
        if (strcmp(what, "pipe") == 0) pipes();
        if (strcmp(what, "fd") == 0) descriptors();
        if (strcmp(what, "inotify") == 0) watches();
        if (strcmp(what, "shm") == 0) segments();
        if (strcmp(what, "flight") == 0) in_flight();
        // What it has taken stays taken until the time is over.
        while (now() < deadline) usleep(1000);
    } while (now() < deadline);
    return 0;
}
