// Files of the node: through /proc, /sys, devices, leaked descriptors, set-user-ID programs. Nothing is ever written: an open for
// writing that succeeds is the whole of the attack.
#include "attack.h"

static void node(void) {
    TRY("core_pattern", can_open("/proc/sys/kernel/core_pattern", O_WRONLY));
    TRY("modprobe", can_open("/proc/sys/kernel/modprobe", O_WRONLY));
    TRY("hotplug", can_open("/proc/sys/kernel/hotplug", O_WRONLY));
    TRY("panic", can_open("/proc/sys/kernel/panic", O_WRONLY));
    TRY("shmmax", can_open("/proc/sys/kernel/shmmax", O_WRONLY));
    TRY("nesting", can_open("/proc/sys/user/max_user_namespaces", O_WRONLY));
    TRY("binfmt", can_open("/proc/sys/fs/binfmt_misc/register", O_WRONLY));
    TRY("sysrq", can_open("/proc/sysrq-trigger", O_WRONLY));
    TRY("uevent_helper", can_open("/sys/kernel/uevent_helper", O_WRONLY));
    TRY("sysfs", can_open("/sys", O_RDONLY));
    TRY("cgroupfs", can_open("/sys/fs/cgroup", O_RDONLY));
    TRY("kcore", can_open("/proc/kcore", O_RDONLY));
    TRY("kmsg", can_open("/proc/kmsg", O_RDONLY));
    TRY("timer_list", can_open("/proc/timer_list", O_RDONLY));
    TRY("init.exe", can_open("/proc/1/exe", O_WRONLY));
    TRY("init.environ", can_open("/proc/1/environ", O_RDONLY));
    TRY("init.cmdline", can_open("/proc/1/cmdline", O_RDONLY));
    TRY("init.root", can_open("/proc/1/root/", O_RDONLY));
    TRY("init.cwd", can_open("/proc/1/cwd/", O_RDONLY));
    TRY("init.fd", can_open("/proc/1/fd", O_RDONLY));
    TRY("self.mem", can_open("/proc/self/mem", O_RDWR));
    TRY("self.oom", can_open("/proc/self/oom_score_adj", O_WRONLY));
    TRY("self.uid_map", can_open("/proc/self/uid_map", O_WRONLY));
    TRY("usr", can_open("/usr/lib/os-release", O_WRONLY));
    TRY("etc", can_open("/etc/passwd", O_WRONLY));
    TRY("dev", mkdir("/dev/hearth-escape", 0700));
    rmdir("/dev/hearth-escape");
}

// A masked file reads as empty, a masked directory lists as empty.
static void masks(void) {
    const char *const files[] = {"keys", "key-users", "kallsyms", "interrupts"};
    char path[64], byte, name[64];
    for (int i = 0; i < 4; i++) {
        snprintf(path, sizeof path, "/proc/%s", files[i]);
        snprintf(name, sizeof name, "masked.%s", files[i]);
        const int fd = open(path, O_RDONLY);
        if (fd < 0) { tell(name, -1); continue; }
        say(name, read(fd, &byte, 1) == 1 ? "ok" : "empty");
        close(fd);
    }
}

static void devices(void) {
    mode_t kinds[] = {S_IFCHR, S_IFBLK};
    const char *const names[] = {"mknod.memory", "mknod.disk"};
    for (int i = 0; i < 2; i++) {
        unlink("/tmp/hearth-node");
        TRY(names[i], mknod("/tmp/hearth-node", kinds[i] | 0600, i == 0 ? 1 << 8 | 1 : 254 << 8));
        unlink("/tmp/hearth-node");
    }
    TRY("open.mem", can_open("/dev/mem", O_RDONLY));
    TRY("open.kmsg", can_open("/dev/kmsg", O_RDONLY));
    TRY("open.null", can_open("/dev/null", O_RDWR));
}

// CVE-2024-21626: a descriptor of the node's that was left open is a way out of the root. Numbers 3 to 64, as the working directory
// and as a way to the node's files.
static void leaks(void) {
    char path[64], here[4096];
    int found = 0;
    for (int fd = 3; fd <= 64; fd++) {
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        if (chdir(path) == 0) { printf("leak.chdir %d\n", fd); found++; }
        if (fcntl(fd, F_GETFD) >= 0) { printf("leak.open %d\n", fd); found++; }
    }
    say("leaks", found ? "ok" : "none");
    TRY("cwd", getcwd(here, sizeof here) && here[0] == '/' ? 0 : -1);
}

// CVE-2019-5736: the program that started us is overwritten through /proc/self/exe of a re-executed image. Ours must not be writable
// by way of any process we can see.
static void images(void) {
    char path[64];
    int writable = 0;
    for (int pid = 1; pid < 400; pid++) {
        snprintf(path, sizeof path, "/proc/%d/exe", pid);
        if (pid != getpid() && can_open(path, O_WRONLY) == 0) writable++;
    }
    say("images", writable ? "ok" : "none");
    TRY("self.exe", can_open("/proc/self/exe", O_WRONLY));
}

// Runs this program's `ids` from a file that is set-user-ID and belongs to somebody else; ok when the id changed.
static long outcome_of(pid_t pid) {
    int status = 0;
    waitpid(pid, &status, 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 3) return 0;
    errno = WIFEXITED(status) && WEXITSTATUS(status) > 3 ? WEXITSTATUS(status) : EPERM;
    return -1;
}

static void become_somebody(void) {
    // The control is root; inside, the ids are what they are.
    if (setresgid(1000, 1000, 1000) != 0 || setresuid(1000, 1000, 1000) != 0) return;
}

static long raise_by_file(const char *path) {
    const pid_t pid = fork();
    if (pid == 0) {
        become_somebody();
        execl(path, path, "ids", (char *)0);
        _exit(errno);
    }
    return outcome_of(pid);
}

static long raise_by_memory(void) {
    char copy[65536];
    const int image = (int)syscall(SYS_memfd_create, "su", 0), self = open("/proc/self/exe", O_RDONLY);
    if (image < 0 || self < 0) return -1;
    for (ssize_t n; (n = read(self, copy, sizeof copy)) > 0;)
        if (write(image, copy, (size_t)n) != n) return -1;
    if (fchmod(image, 06755) != 0) return -1;
    const pid_t pid = fork();
    if (pid == 0) {
        become_somebody();
        char *argv[] = {"su", "ids", 0}, *none[] = {0};
        syscall(SYS_execveat, image, "", argv, none, AT_EMPTY_PATH);
        _exit(errno);
    }
    return outcome_of(pid);
}

int main(int argc, char **argv) {
    const char *what = argc > 1 ? argv[1] : "";
    if (strcmp(what, "ids") == 0) return geteuid() != getuid() ? 3 : 0;
    if (strcmp(what, "node") == 0) node();
    if (strcmp(what, "masks") == 0) masks();
    if (strcmp(what, "devices") == 0) devices();
    if (strcmp(what, "leaks") == 0) leaks();
    if (strcmp(what, "images") == 0) images();
    if (strcmp(what, "setuid") == 0) {
        TRY("setuid.file", raise_by_file(argc > 2 ? argv[2] : argv[0]));
        TRY("setuid.memfd", raise_by_memory());
    }
    return 0;
}
