// libarchive as Debian ships it (libarchive-dev), and what Swift cannot import of the headers it needs.
#ifndef HEARTH_CARCHIVE_SHIM_H
#define HEARTH_CARCHIVE_SHIM_H
#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

// glibc declares these for _GNU_SOURCE only, which the importer does not define.
enum { HEARTH_O_PATH = 010000000, HEARTH_O_TMPFILE = 020000000 | O_DIRECTORY };

// syncfs(2): also reports write-back errors since kernel 5.8.
static inline int hearth_syncfs(int fd) { return (int)syscall(SYS_syncfs, fd); }

// renameat2(2) with RENAME_NOREPLACE (1).
static inline int hearth_rename_new(int from_dir, const char *from, int to_dir, const char *to) {
    return (int)syscall(SYS_renameat2, from_dir, from, to_dir, to, 1);
}

// FICLONE (ioctl_ficlone(2)) is _IOW(0x94, 9, int): the destination shares the source's extents.
static inline int hearth_clone_file(int to, int from) { return ioctl(to, _IOW(0x94, 9, int), from); }

#endif
