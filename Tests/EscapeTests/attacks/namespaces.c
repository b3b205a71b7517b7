// New namespaces, other namespaces, mounts, roots.
#include "attack.h"
#include <linux/sched.h>

static const struct { const char *name; unsigned long flag; } kinds[] = {
    {"mount", CLONE_NEWNS}, {"cgroup", CLONE_NEWCGROUP}, {"uts", CLONE_NEWUTS}, {"ipc", CLONE_NEWIPC},
    {"user", CLONE_NEWUSER}, {"pid", CLONE_NEWPID}, {"net", CLONE_NEWNET}, {"time", 0x80},
};

static long new_process(unsigned long flags, int three) {
    struct clone_args args = {.flags = flags, .exit_signal = SIGCHLD};
    const long pid = three ? syscall(SYS_clone3, &args, sizeof args) : syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0);
    if (pid == 0) _exit(0);
    if (pid > 0) waitpid((pid_t)pid, 0, __WALL);
    return pid;
}

static void named(const char *what, const char *kind, char out[64]) { snprintf(out, 64, "%s.%s", what, kind); }

static void namespaces(void) {
    char name[64];
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        named("unshare", kinds[i].name, name);
        TRY_IN_CHILD(name, unshare((int)kinds[i].flag));
        // clone(2) has no bit for a time namespace: 0x80 is part of its exit signal.
        if (kinds[i].flag != 0x80) {
            named("clone", kinds[i].name, name);
            TRY_IN_CHILD(name, new_process(kinds[i].flag, 0));
        }
        named("clone3", kinds[i].name, name);
        TRY_IN_CHILD(name, new_process(kinds[i].flag, 1));
    }
    TRY_IN_CHILD("clone3.plain", new_process(0, 1));
    TRY_IN_CHILD("clone.plain", new_process(0, 0));
    // By file and by pidfd.
    const int net = open("/proc/self/ns/net", O_RDONLY);
    TRY_IN_CHILD("setns.file", setns(net, CLONE_NEWNET));
    const int pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);
    TRY_IN_CHILD("setns.pidfd", setns(pidfd, CLONE_NEWUTS));
}

static long fresh(const char *type) {
    const long context = syscall(SYS_fsopen, type, 0);
    if (context < 0) return -1;
    return syscall(SYS_fsconfig, context, 6 /* CMD_CREATE */, 0, 0, 0);
}

// All in children: the control does them in a mount namespace of its own.
static void mounts(void) {
    mkdir("/tmp/m", 0755);
    TRY_IN_CHILD("mount.proc", mount("proc", "/tmp/m", "proc", 0, 0));
    TRY_IN_CHILD("mount.sysfs", mount("sysfs", "/tmp/m", "sysfs", 0, 0));
    TRY_IN_CHILD("mount.cgroup2", mount("none", "/tmp/m", "cgroup2", 0, 0));
    TRY_IN_CHILD("mount.tmpfs", mount("tmpfs", "/tmp/m", "tmpfs", 0, 0));
    TRY_IN_CHILD("mount.bind", mount("/proc", "/tmp/m", 0, MS_BIND, 0));
    TRY_IN_CHILD("remount.proc", mount(0, "/proc", 0, MS_REMOUNT | MS_BIND, 0));
    TRY_IN_CHILD("remount.root", mount(0, "/", 0, MS_REMOUNT | MS_BIND, 0));
    TRY_IN_CHILD("propagation", mount(0, "/", 0, MS_SHARED, 0));
    TRY_IN_CHILD("unmask", umount2("/proc/keys", MNT_DETACH));
    TRY_IN_CHILD("umount.dev", umount2("/dev", MNT_DETACH));
    TRY_IN_CHILD("fsopen.proc", fresh("proc"));
    TRY_IN_CHILD("fsopen.sysfs", fresh("sysfs"));
    TRY_IN_CHILD("open_tree", syscall(SYS_open_tree, AT_FDCWD, "/", 1 /* CLONE */));
    uint64_t attributes[4] = {0, 1 /* clear RDONLY */, 0, 0};
    TRY_IN_CHILD("mount_setattr", syscall(SYS_mount_setattr, AT_FDCWD, "/proc", 0, attributes, sizeof attributes));
    const int here = open("/tmp/m", O_PATH);
    TRY_IN_CHILD("move_mount", syscall(SYS_move_mount, here, "", AT_FDCWD, "/tmp", 4));
    TRY_IN_CHILD("fspick", syscall(SYS_fspick, AT_FDCWD, "/proc", 0));
    TRY_IN_CHILD("pivot_root", syscall(SYS_pivot_root, "/nowhere", "/nowhere"));
    TRY_IN_CHILD("chroot", chroot("/tmp"));
}

int main(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], "namespaces") == 0) namespaces();
    if (argc > 1 && strcmp(argv[1], "mounts") == 0) mounts();
    return 0;
}
