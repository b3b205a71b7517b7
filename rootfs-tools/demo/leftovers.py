"""What the demonstration has on the machine at a moment: processes, cgroups, mounts. Counted before and after."""

import ctypes
import os
import signal
import time
from pathlib import Path

_PR_SET_CHILD_SUBREAPER = 36  # prctl(2)


def adopt_orphans():
    """From now on every process below this one stays below it, whoever of its parents dies: none can hide."""
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


def processes():
    """The living processes below this one, as (pid, name)."""
    parents, names = {}, {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            stat = Path("/proc", entry, "stat").read_text(errors="replace")
        except OSError:
            continue  # it has ended meanwhile
        # The name is in parentheses and may hold any character: proc(5).
        name, _, rest = stat.partition("(")[2].rpartition(")")
        state, parent = rest.split()[:2]
        if state not in "ZX":
            parents[int(entry)], names[int(entry)] = int(parent), name
    own, found = {os.getpid()}, []
    while True:
        more = [pid for pid, parent in parents.items() if parent in own and pid not in own]
        if not more:
            return sorted((pid, names[pid]) for pid in found)
        own.update(more)
        found += more


def reap():
    """Collects adopted processes that have ended. Only when nobody else waits for children."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def kill_all():
    """Ends every process below this one, for the end after an error."""
    for _ in range(100):
        alive = processes()
        if not alive:
            break
        for pid, _ in alive:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        time.sleep(0.05)
        reap()
    reap()


def mounts():
    """The lines of this mount namespace's table; it is private, so only the demonstration can have changed it."""
    return set(Path("/proc/self/mountinfo").read_text().splitlines())


def cgroup_mount():
    """Where the v2 hierarchy is mounted: not at /sys/fs/cgroup on a hybrid machine. None without one."""
    for entry in mounts():
        before, _, after = entry.partition(" - ")
        if after.startswith("cgroup2 "):
            return Path(before.split()[4])
    return None


def cgroup_of(pid):
    """A process's directory in the v2 hierarchy."""
    for entry in Path("/proc", str(pid), "cgroup").read_text().splitlines():
        if entry.startswith("0::"):
            return cgroup_mount() / entry[3:].lstrip("/")
    raise LookupError(f"process {pid} is in no cgroup v2")


def cgroups():
    """Every cgroup of the hierarchy, whoever made it."""
    mount = cgroup_mount()
    if mount is None:
        return set()
    return {Path(directory, name) for directory, names, _ in os.walk(mount) for name in names}


def within(groups, names):
    """Those of `groups` that have one of `names` in their path."""
    return [group for group in groups if names.intersection(group.parts)]


def remove_cgroups(names):
    for path in sorted(within(cgroups(), names), key=lambda path: len(path.parts), reverse=True):
        try:
            path.rmdir()
        except OSError:
            pass  # what cannot be removed is counted and named afterwards
