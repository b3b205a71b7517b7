// Processes that try to outlive their sandbox, and tenants that leave things for the next one to find.
#include "attack.h"
#include <sys/ipc.h>
#include <sys/resource.h>
#include <sys/shm.h>

// Double-forked, in a session of its own, deaf to every signal it may ignore; stopped ones too.
static void detach(int stopped) {
    if (fork() != 0) return;
    setsid();
    for (int number = 1; number < 65; number++) signal(number, SIG_IGN);
    if (fork() != 0) _exit(0);
    prctl(PR_SET_NAME, "hearth-leaver");
    if (stopped) raise(SIGSTOP);
    for (;;) pause();
}

static int leave(void) {
    for (int i = 0; i < 3; i++) { detach(0); detach(1); }
    // The intermediate ones are gone before the test counts.
    while (waitpid(-1, 0, 0) > 0) { }
    printf("ready 6\n");
    fflush(stdout);
    for (;;) pause();
    return 0;
}

// Traces in every place that could be shared with whoever comes next.
static int soil(void) {
    const char *const files[] = {"/tmp/trace", "/tmp/.hidden", "/dev/shm/trace", "/var/tmp/trace", "/run/trace", "/trace"};
    for (int i = 0; i < 6; i++) {
        const int fd = open(files[i], O_CREAT | O_WRONLY, 0666);
        if (fd >= 0 && write(fd, "hearth-trace", 12) != 12) return 1;
        close(fd);
    }
    mkdir("/tmp/.dir", 0777);
    if (shmget(0x77, 1 << 16, IPC_CREAT | 0666) < 0) return 2;
    struct rlimit small = {32, 32};
    setrlimit(RLIMIT_NOFILE, &small);
    setpriority(PRIO_PROCESS, 0, 19);
    umask(0);
    for (int i = 0; i < 5; i++) detach(0);
    printf("ready 0\n");
    fflush(stdout);
    return 0;
}

static int look(void) {
    char text[65536];
    const char *const files[] = {"/tmp/trace", "/tmp/.hidden", "/tmp/.dir", "/dev/shm/trace", "/var/tmp/trace", "/run/trace",
                                 "/trace"};
    int count = 0;
    for (int i = 0; i < 7; i++) count += access(files[i], F_OK) == 0;
    say("files", count ? "ok" : "none");
    say("segments", shmget(0x77, 0, 0) >= 0 ? "ok" : "none");
    const int environment = open("/proc/self/environ", O_RDONLY);
    const ssize_t n = read(environment, text, sizeof text);
    close(environment);
    say("environment", n > 0 && memmem(text, (size_t)n, "TRACE", 5) ? "ok" : "none");
    int open_files = 0;
    for (int fd = 3; fd < 1024; fd++) open_files += fcntl(fd, F_GETFD) >= 0;
    say("descriptors", open_files ? "ok" : "none");
    int processes = 0;
    char path[64], name[64] = "";
    for (int pid = 2; pid < 400; pid++) {
        snprintf(path, sizeof path, "/proc/%d/comm", pid);
        const int fd = open(path, O_RDONLY);
        if (fd < 0) continue;
        if (read(fd, name, sizeof name) > 0 && strncmp(name, "hearth-leaver", 13) == 0) processes++;
        close(fd);
    }
    say("processes", processes ? "ok" : "none");
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    say("limits", limit.rlim_cur == 32 ? "ok" : "none");
    say("priority", getpriority(PRIO_PROCESS, 0) == 19 ? "ok" : "none");
    const mode_t mask = umask(022);
    say("umask", mask == 0 ? "ok" : "none");
    return 0;
}

int main(int argc, char **argv) {
    const char *what = argc > 1 ? argv[1] : "";
    if (strcmp(what, "leave") == 0) return leave();
    if (strcmp(what, "soil") == 0) return soil();
    if (strcmp(what, "look") == 0) return look();
    // Both in one process's life: where nothing is cleaned in between.
    if (strcmp(what, "both") == 0) return soil() || usleep(300000) || look();
    return 64;
}
