// Giving privilege up for good (capabilities(7), credentials(7), prctl(2)), and who is at the other end of a socket.
#define _GNU_SOURCE
#include "clinux.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

int clx_thread_count(void) {
    DIR *directory = opendir("/proc/self/task");
    if (directory == NULL) return -1;
    int count = 0;
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) count += entry->d_name[0] != '.';
    closedir(directory);
    return count;
}

int clx_drop_privileges(uint32_t uid, uint32_t gid) {
    // What prctl and capset change is one thread's own; threads that are started later inherit it.
    if (clx_thread_count() != 1) {
        errno = EBUSY;
        return -1;
    }
    // The bounding set first: it takes CAP_SETPCAP. EINVAL is the first capability that this kernel does not have.
    for (unsigned long capability = 0; capability < 64; capability++)
        if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) < 0) {
            if (errno != EINVAL) return -1;
            break;
        }
    // Ids mean nothing for capabilities any more, not even root's in a setuid program.
    unsigned long bits = SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_KEEP_CAPS_LOCKED | SECBIT_NO_CAP_AMBIENT_RAISE |
                         SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED;
    if (prctl(PR_SET_SECUREBITS, bits, 0, 0, 0) < 0) return -1;
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0) return -1;
    if (setgroups(0, NULL) < 0 || setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0) return -1;
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct none[2];
    memset(none, 0, sizeof none);
    if (syscall(SYS_capset, &header, none) < 0) return -1;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0) return -1;
    // Not believed but tried: nothing may lead back.
    if (uid != 0 && (setresuid(0, 0, 0) == 0 || geteuid() != uid || getegid() != gid)) {
        errno = EPERM;
        return -1;
    }
    return 0;
}

int clx_user_ids(const char *name, uint32_t *uid, uint32_t *gid) {
    char buffer[16384];
    struct passwd entry, *found = NULL;
    int code = getpwnam_r(name, &entry, buffer, sizeof buffer, &found);
    if (found == NULL) {
        errno = code != 0 ? code : ENOENT;
        return -1;
    }
    *uid = entry.pw_uid;
    *gid = entry.pw_gid;
    return 0;
}

int clx_chown_at(int directory, const char *name, uint32_t uid, uint32_t gid) {
    return fchownat(directory, name, uid, gid, AT_SYMLINK_NOFOLLOW);
}

int clx_owner_at(int directory, const char *name, uint32_t *uid, uint32_t *mode) {
    struct stat status;
    if (fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) < 0) return -1;
    *uid = status.st_uid;
    *mode = status.st_mode;
    return 0;
}

int clx_peer_groups(int fd, uint32_t *out, int capacity) {
    socklen_t length = (socklen_t)capacity * sizeof *out;
    if (getsockopt(fd, SOL_SOCKET, 59 /* SO_PEERGROUPS */, out, &length) < 0) return -1;
    return (int)(length / sizeof *out);
}
