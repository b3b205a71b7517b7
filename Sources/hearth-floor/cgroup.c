#define _GNU_SOURCE
#include "floor.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char remedy[] = "run it as root on a machine with a writable cgroup v2 mount";

// The mount point of the v2 hierarchy, from /proc/self/mountinfo (proc(5)): field 5 of the line whose type, the first
// field after " - ", is cgroup2. A hybrid machine has it beside the v1 controllers, not at /sys/fs/cgroup.
static void find_mount(char *out, size_t size) {
    FILE *file = fopen("/proc/self/mountinfo", "re");
    if (!file) fail(errno, "mount /proc", "/proc/self/mountinfo cannot be read");
    char *line = NULL;
    size_t capacity = 0;
    bool found = false;
    while (!found && getline(&line, &capacity, file) > 0) {
        char point[3072];
        const char *type = strstr(line, " - ");
        if (type && strncmp(type, " - cgroup2 ", 11) == 0 && sscanf(line, "%*s %*s %*s %*s %3071s", point) == 1) {
            snprintf(out, size, "%s", point);
            found = true;
        }
    }
    free(line);
    fclose(file);
    if (!found) fail(0, "mount it: mount -t cgroup2 none /sys/fs/cgroup", "no cgroup v2 mount was found");
}

// This process's own directory in the v2 hierarchy: the line "0::/PATH" of /proc/self/cgroup.
static void find_own(char *out, size_t size) {
    FILE *file = fopen("/proc/self/cgroup", "re");
    if (!file) fail(errno, "mount /proc", "/proc/self/cgroup cannot be read");
    char *line = NULL;
    size_t capacity = 0;
    out[0] = 0;
    while (getline(&line, &capacity, file) > 0) {
        if (strncmp(line, "0::", 3) != 0) continue;
        line[strcspn(line, "\n")] = 0;
        snprintf(out, size, "%s", strcmp(line + 3, "/") == 0 ? "" : line + 3);
    }
    free(line);
    fclose(file);
}

static bool write_file(int directory, const char *name, const char *text) {
    int fd = openat(directory, name, O_WRONLY | O_CLOEXEC);
    if (fd < 0) return false;
    bool done = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    close(fd);
    return done;
}

// What is left to do when the program ends, in whatever way it can see coming. Async-signal-safe.
static struct cgroup_tree *current;

// The name of leaf `id`; snprintf(3) may not be called in a signal handler.
static const char *leaf_name(unsigned long id, char buffer[32]) {
    char *at = buffer + 31;
    *at = 0;
    do *--at = (char)('0' + id % 10);
    while ((id /= 10) > 0);
    *--at = 's';
    return at;
}

static void remove_current(void) {
    struct cgroup_tree *tree = current;
    current = NULL;
    if (!tree) return;
    int fd = openat(tree->fd, "cgroup.kill", O_WRONLY | O_CLOEXEC);
    if (fd >= 0) {
        ssize_t ignored = write(fd, "1", 1);
        (void)ignored;
        close(fd);
    }
    // The mount lies outside the stage, so the directory is named through its own descriptor's parent.
    int parent = openat(tree->fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    // Killed processes leave their cgroup when they are gone, not when they are killed: EBUSY until then.
    for (int attempt = 0; attempt < 10000; attempt++) {
        char name[32];
        if (tree->leaf[0]) unlinkat(tree->fd, tree->leaf, AT_REMOVEDIR);
        while (tree->held > 0 && unlinkat(tree->fd, leaf_name(tree->held - 1, name), AT_REMOVEDIR) == 0) tree->held--;
        if (unlinkat(parent, strrchr(tree->path, '/') + 1, AT_REMOVEDIR) == 0 || errno != EBUSY) break;
        poll(NULL, 0, 1);
    }
    close(parent);
    close(tree->fd);
}

static void on_signal(int number) {
    remove_current();
    signal(number, SIG_DFL);
    raise(number);
}

static void remove_at_the_end(struct cgroup_tree *tree) {
    current = tree;
    atexit(remove_current);
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) signal(numbers[i], on_signal);
}

void cgroup_tree_create(struct cgroup_tree *tree) {
    char mount[3072], own[512];
    find_mount(mount, sizeof mount);
    find_own(own, sizeof own);
    snprintf(tree->path, sizeof tree->path, "%s%s/hearth-floor.%d", mount, own, getpid());
    if (mkdir(tree->path, 0755) < 0) fail(errno, remedy, "the cgroup %s cannot be made", tree->path);
    tree->fd = open(tree->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (tree->fd < 0) fail(errno, remedy, "the cgroup %s cannot be opened", tree->path);
    remove_at_the_end(tree);
    // One at a time: a name that is not available here would refuse the whole line. A machine that keeps its
    // controllers on v1 has none of them.
    tree->cpu = write_file(tree->fd, "cgroup.subtree_control", "+cpu");
    tree->memory = write_file(tree->fd, "cgroup.subtree_control", "+memory");
    tree->pids = write_file(tree->fd, "cgroup.subtree_control", "+pids");
}

void cgroup_tree_remove(struct cgroup_tree *tree) {
    if (tree == current) remove_current();
}

int cgroup_leaf_create(struct cgroup_tree *tree, unsigned long id) {
    char *name = tree->leaf;
    snprintf(name, sizeof tree->leaf, "s%lu", id);
    if (mkdirat(tree->fd, name, 0755) < 0) fail(errno, remedy, "the cgroup %s/%s cannot be made", tree->path, name);
    int fd = openat(tree->fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) fail(errno, remedy, "the cgroup %s/%s cannot be opened", tree->path, name);
    bool done = true;
    if (tree->cpu) done = done && write_file(fd, "cpu.max", "100000 100000");
    if (tree->pids) done = done && write_file(fd, "pids.max", "64");
    if (tree->memory) done = done && write_file(fd, "memory.max", "134217728");
    if (tree->memory) done = done && write_file(fd, "memory.oom.group", "1");
    if (!done) fail(errno, remedy, "the limits of the cgroup %s/%s cannot be set", tree->path, name);
    if (tree->memory) write_file(fd, "memory.swap.max", "0");  // absent in a kernel without swap
    return fd;
}

void cgroup_leaf_remove(struct cgroup_tree *tree) {
    // A process that was reaped a moment ago may still be on its way out of the cgroup: EBUSY until it is.
    for (int attempt = 0; attempt < 2000; attempt++) {
        if (unlinkat(tree->fd, tree->leaf, AT_REMOVEDIR) == 0) {
            tree->leaf[0] = 0;
            return;
        }
        if (errno != EBUSY) break;
        poll(NULL, 0, 1);
    }
    fail(errno, "remove it by hand with rmdir", "the cgroup %s/%s cannot be removed", tree->path, tree->leaf);
}
