// A secret in the session keyring of whoever starts the nursery: may a sandbox's program find it?
#include "attack.h"
#include <linux/keyctl.h>

#define SECRET "hearth-secret-of-the-session"

static void hold(void) {
    if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, "hearth-session") < 0 ||
        syscall(SYS_add_key, "user", SECRET, "x", 1, KEY_SPEC_SESSION_KEYRING) < 0) {
        tell("hold", -1);
        exit(1);
    }
}

static void look(void) {
    TRY("search", syscall(SYS_keyctl, KEYCTL_SEARCH, KEY_SPEC_SESSION_KEYRING, "user", SECRET, 0));
    TRY("join", syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, "hearth-session"));
    TRY("search.joined", syscall(SYS_keyctl, KEYCTL_SEARCH, KEY_SPEC_SESSION_KEYRING, "user", SECRET, 0));
}

int main(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], "look") == 0) {
        look();
        return 0;
    }
    hold();
    if (argc > 1 && strcmp(argv[1], "control") == 0) {
        // As any child that nobody gave a keyring of its own.
        char *arguments[] = {argv[0], "look", NULL};
        execv("/proc/self/exe", arguments);
        return 1;
    }
    // In place of the nursery, whose path is in a file beside this program.
    char path[4096], target[4096];
    const ssize_t length = readlink("/proc/self/exe", path, sizeof path - 8);
    if (length < 0) return 1;
    strcpy(path + length, ".target");
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    const ssize_t size = file < 0 ? -1 : read(file, target, sizeof target - 1);
    if (size < 0) return 1;
    target[size] = 0;
    execv(target, argv);
    return 1;
}
