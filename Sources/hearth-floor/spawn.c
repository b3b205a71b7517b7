#define _GNU_SOURCE
#include "floor.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <sched.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

// crun 1.8 refuses a machine with both cgroup versions ("cgroups in hybrid mode not supported"), and runc makes a
// directory in each of its v1 hierarchies. In a mount namespace where /sys/fs/cgroup is the v2 hierarchy both work.
static void show_cgroup2(void) {
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("none", "/sys/fs/cgroup", "cgroup2", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
        fail(errno, "run it as root", "/sys/fs/cgroup cannot be shown as cgroup v2");
}

// The program's stamp, or the end of the command without one.
static int64_t stamp_of(int output, char **command) {
    struct pollfd ready = {.fd = output, .events = POLLIN};
    int count;
    do count = poll(&ready, 1, 30000);
    while (count < 0 && errno == EINTR);
    if (count == 0) fail(0, "run the command by hand", "%s said nothing for 30 s", command[0]);
    int64_t stamp = 0;
    if (read(output, &stamp, sizeof stamp) != sizeof stamp)
        fail(0, "see its messages above, or run it by hand", "%s ended without a stamp", command[0]);
    return stamp;
}

static int64_t spawn_once(char **command, bool to_exit) {
    int output[2];
    if (pipe2(output, O_CLOEXEC) < 0) fail(errno, "raise ulimit -n", "no pipe");
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, output[1], 1);
    pid_t pid;
    int64_t start = monotonic_ns();
    int error = posix_spawnp(&pid, command[0], &actions, NULL, command, environ);
    if (error != 0) fail(error, "install it or name it by its path", "%s cannot be started", command[0]);
    close(output[1]);
    int64_t stamp = to_exit ? 0 : stamp_of(output[0], command);
    int status;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR) fail(errno, "report it", "%s cannot be reaped", command[0]);
    if (to_exit) stamp = monotonic_ns();
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        fail(0, "run it by hand", "%s ended with wait status %#x", command[0], status);
    posix_spawn_file_actions_destroy(&actions);
    close(output[0]);
    return stamp - start;
}

int spawn_run(char **command, bool cgroup2, bool to_exit) {
    if (cgroup2) show_cgroup2();
    char *line = NULL;
    size_t capacity = 0;
    while (getline(&line, &capacity, stdin) > 0) {
        printf("%" PRId64 "\n", spawn_once(command, to_exit));
        fflush(stdout);
    }
    free(line);
    return 0;
}
