#define _GNU_SOURCE
#include "floor.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { MESSAGE = 64 };

// Reads or writes exactly one message; false at the end of the stream or on an error.
static bool receive(int fd, char *message) {
    for (size_t have = 0; have < MESSAGE;) {
        ssize_t got = read(fd, message + have, MESSAGE - have);
        if (got == 0 || (got < 0 && errno != EINTR)) return false;
        if (got > 0) have += (size_t)got;
    }
    return true;
}
static bool give(int fd, const char *message) {
    for (size_t done = 0; done < MESSAGE;) {
        ssize_t sent = send(fd, message + done, MESSAGE - done, MSG_NOSIGNAL);
        if (sent < 0 && errno != EINTR) return false;
        if (sent > 0) done += (size_t)sent;
    }
    return true;
}

// One client: its messages go through an echo process of its own, as a function's do through its sandbox; with a single
// hop they are answered here.
static _Noreturn void serve(int client, int hops) {
    int pair[2];
    char message[MESSAGE];
    if (hops == 1) {
        while (receive(client, message) && give(client, message)) continue;
        _exit(0);
    }
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) _exit(1);
    pid_t pid = fork();
    if (pid < 0) _exit(1);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        close(pair[0]);
        close(client);
        while (receive(pair[1], message) && give(pair[1], message)) continue;
        _exit(0);
    }
    close(pair[1]);
    while (receive(client, message) && give(pair[0], message) && receive(pair[0], message) && give(client, message))
        continue;
    _exit(0);
}

static const char *socket_path;

static void remove_socket(int number) {
    unlink(socket_path);
    signal(number, SIG_DFL);
    raise(number);
}

int relay_run(const char *path, int hops) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path)
        fail(ENAMETOOLONG, "use a path of at most 107 bytes", "the socket %s", path);
    strcpy(address.sun_path, path);
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof address) < 0 || listen(listener, 64) < 0)
        fail(errno, "name a path that does not exist in a writable directory", "the socket %s cannot be opened", path);
    socket_path = path;
    signal(SIGINT, remove_socket);
    signal(SIGTERM, remove_socket);
    signal(SIGCHLD, SIG_IGN);  // the kernel reaps the connections' processes
    puts("listening");
    fflush(stdout);
    for (;;) {
        int client = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (client < 0) {
            if (errno == EINTR || errno == ECONNABORTED) continue;
            fail(errno, "raise ulimit -n", "no connection can be accepted on %s", path);
        }
        pid_t pid = fork();
        if (pid == 0) {
            signal(SIGINT, SIG_DFL);
            signal(SIGTERM, SIG_DFL);
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            close(listener);
            serve(client, hops);
        }
        close(client);
        if (pid < 0) fprintf(stderr, "hearth-floor: a client was refused: %s\n", strerror(errno));
    }
}
