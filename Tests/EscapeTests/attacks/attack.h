// What every attack shares: one line an attempt, "NAME OUTCOME", where OUTCOME is ok, the name of an errno, or of the signal that
// ended the attempt. Each program does its attempts in order of argv[1], so that a test knows what to expect.
#pragma once
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static inline void say(const char *name, const char *outcome) {
    printf("%s %s\n", name, outcome);
    fflush(stdout);
}

static inline void tell(const char *name, long result) {
    const int error = errno;
    say(name, result >= 0 ? "ok" : strerrorname_np(error) ? strerrorname_np(error) : "?");
}

// An attempt in this process.
#define TRY(name, call) do { errno = 0; const long result_ = (long)(call); tell(name, result_); } while (0)

// An attempt in a child of its own, for what would change or end this process. The child's value is 0 or an errno.
#define TRY_IN_CHILD(name, call) do { \
        fflush(stdout); \
        const pid_t pid_ = fork(); \
        if (pid_ == 0) { errno = 0; const long r_ = (long)(call); _exit(r_ >= 0 ? 0 : errno > 250 ? 250 : errno); } \
        report(name, pid_); \
    } while (0)

static inline void report(const char *name, pid_t pid) {
    int status = 0;
    if (pid < 0 || waitpid(pid, &status, __WALL) != pid) { say(name, "no child"); return; }
    if (WIFSIGNALED(status)) {
        printf("%s SIG%s\n", name, sigabbrev_np(WTERMSIG(status)));
        fflush(stdout);
        return;
    }
    errno = WEXITSTATUS(status);
    tell(name, errno == 0 ? 0 : -1);
}

// Opens and closes: the attempt alone is what counts, nothing is ever written.
static inline long can_open(const char *path, int flags) {
    const int fd = open(path, flags | O_CLOEXEC | O_NOCTTY);
    if (fd >= 0) close(fd);
    return fd < 0 ? -1 : 0;
}
