#define _GNU_SOURCE
#include "floor.h"
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static const char remedy[] = "run it as root, with CAP_SYS_ADMIN in the first user namespace";

static void must(int result, const char *what) {
    if (result < 0) fail(errno, remedy, "the stage cannot be set up: %s", what);
}

static void make_directory(const char *path, mode_t mode) {
    must(mkdir(path, mode), path);
    must(chmod(path, mode), path);  // past the umask
}

static void make_device(const char *path, unsigned major_, unsigned minor_) {
    must(mknod(path, S_IFCHR | 0666, makedev(major_, minor_)), path);
    must(chmod(path, 0666), path);
}

static void copy_program(int from, const char *path) {
    int to = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
    must(to, path);
    struct stat info;
    must(fstat(from, &info), "the program's size");
    for (off_t done = 0; done < info.st_size;) {
        char buffer[65536];
        ssize_t got = pread(from, buffer, sizeof buffer, done);
        if (got <= 0 || write(to, buffer, (size_t)got) != got) must(-1, "the copy of the program");
        done += got;
    }
    must(fchmod(to, 0755), path);
    close(to);
}

// A devtmpfs would show every device of the machine; device nodes cannot be made inside a user namespace. So one tmpfs
// with the six harmless ones is made here, and each sandbox sees it read-only.
static void make_devices(void) {
    must(mount("dev", "dev", "tmpfs", MS_NOSUID | MS_NOEXEC, "size=64k,mode=755"), "tmpfs for /dev");
    make_device("dev/null", 1, 3);
    make_device("dev/zero", 1, 5);
    make_device("dev/full", 1, 7);
    make_device("dev/random", 1, 8);
    make_device("dev/urandom", 1, 9);
    make_device("dev/tty", 5, 0);
    make_directory("dev/shm", 01777);
    must(symlink("/proc/self/fd", "dev/fd"), "dev/fd");
    must(symlink("/proc/self/fd/0", "dev/stdin"), "dev/stdin");
    must(symlink("/proc/self/fd/1", "dev/stdout"), "dev/stdout");
    must(symlink("/proc/self/fd/2", "dev/stderr"), "dev/stderr");
    must(mount(NULL, "dev", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NOEXEC, NULL), "read-only /dev");
}

static void make_image(int program) {
    must(mount("image", "image", "tmpfs", MS_NOSUID | MS_NODEV, "size=16m,mode=755"), "tmpfs for the image");
    must(chdir("image"), "the image");
    static const char *const directories[] = {"usr", "proc", "dev", "app", "etc", "var"};
    for (size_t i = 0; i < sizeof directories / sizeof *directories; i++) make_directory(directories[i], 0755);
    make_directory("tmp", 01777);
    must(symlink("usr/bin", "bin"), "bin");
    must(symlink("usr/sbin", "sbin"), "sbin");
    must(symlink("usr/lib", "lib"), "lib");
    must(symlink("usr/lib64", "lib64"), "lib64");
    copy_program(program, "app/program");
    must(mount("/usr", "usr", NULL, MS_BIND, NULL), "the bind of /usr");
    must(mount(NULL, "usr", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV, NULL), "read-only /usr");
    make_devices();
    must(mount(NULL, ".", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV, NULL), "read-only image");
    must(chdir(".."), "the stage");
}

void stage_enter(struct stage *stage, const char *program) {
    int binary = open(program, O_RDONLY | O_CLOEXEC);
    if (binary < 0) fail(errno, "name a static executable with --binary", "the program %s cannot be opened", program);
    stage->proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
    must(stage->proc, "/proc");
    must(unshare(CLONE_NEWNS), "a mount namespace");
    must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "private mounts");
    must(mount("stage", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, "size=1m,mode=755"), "tmpfs for the stage");
    must(chdir("/tmp"), "the stage");
    make_directory("proc", 0755);
    make_directory("image", 0755);
    make_image(binary);
    close(binary);
    // A user namespace may mount a procfs only where its mount namespace shows a whole one already
    // (mount_too_revealing in fs/namespace.c).
    must(mount("proc", "proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL), "/proc");
    must((int)syscall(SYS_pivot_root, ".", "."), "pivot_root");
    must(umount2(".", MNT_DETACH), "detaching the host's mounts");
    must(chdir("/"), "/");
}
