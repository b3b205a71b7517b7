#!/bin/bash
# Runs a command in user-mode Linux, a kernel of its own with the whole of cgroup v2, on the files of this machine.
#
#   Tests/uml/run.sh [--memory 2G] [--timeout SECONDS] [--env NAME=VALUE]... [--show DIRECTORY]... -- COMMAND ARGS...
#
# The command sees this machine's files read-only; /tmp, /run, /var/tmp and /dev/shm are empty and its own, but for
# this repository, the working directory and what --show names, wherever those are. /sys/fs/cgroup has all controllers,
# the only network is loopback, the user is root, stdin is empty. stdout and stderr are this script's. The exit status
# is the command's; 124 when the time limit ended it, 125 when the kernel did not come up or went down early.
set -u -o pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
memory=2G
limit=600
environment=()
shown=()

die() {
    echo "uml: $1" >&2
    exit 125
}

while [ $# -gt 0 ]; do
    case $1 in
    --memory) memory=$2; shift 2 ;;
    --timeout) limit=$2; shift 2 ;;
    --env) environment+=("$2"); shift 2 ;;
    --show) shown+=("$2"); shift 2 ;;
    --) shift; break ;;
    *) die "unknown option $1; usage: run.sh [--memory 2G] [--timeout SECONDS] -- COMMAND..." ;;
    esac
done
[ $# -gt 0 ] || die "a command is missing after --"
kernel=$(command -v linux.uml) || die "linux.uml was not found; install Debian's package user-mode-linux (make deps)"

work=$(mktemp -d -t hearth-uml.XXXXXX) || die "no directory can be made in ${TMPDIR:-/tmp}"
pid=
clean_up() {
    # The kernel and the processes that carry its user programs are one session: nothing survives it.
    if [ -n "$pid" ]; then
        kill -KILL -- "-$pid" 2>/dev/null
        wait "$pid" 2>/dev/null
    fi
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

printf '%s\0' "$@" >"$work/argv"
printf '%s\0' "HEARTH_UML=1" ${HEARTH_DATA:+"HEARTH_DATA=$HEARTH_DATA"} "LANG=${LANG:-C.UTF-8}" "TERM=dumb" \
    "NO_COLOR=1" ${environment[@]+"${environment[@]}"} >"$work/environment"
printf '%s' "$PWD" >"$work/directory"
for directory in "$here/../.." "$PWD" "${HEARTH_DATA:-}" ${shown[@]+"${shown[@]}"}; do
    [ -d "$directory" ] && printf '%s\0' "$(realpath "$directory")"
done >"$work/shown"
mkdir "$work/uml"
cp "$here/init.sh" "$work/init.sh"  # the kernel command line knows no quotes: a path without blanks

# The guest's memory is a file, unlinked at once, that is mapped executable. A container's /dev/shm is often too small
# for it and noexec; a file on disk does too.
bytes=$(numfmt --from=iec "$memory" 2>/dev/null) || die "--memory is a size such as 2G or 512M, not $memory"
TMPDIR=
for directory in /dev/shm /var/tmp; do
    [ -w "$directory" ] || continue
    [ "$(df --output=avail -B1 "$directory" | tail -1)" -gt "$bytes" ] || continue
    findmnt -n -o OPTIONS -T "$directory" | grep -qw noexec && continue
    TMPDIR=$directory
    break
done
[ -n "$TMPDIR" ] || die "no room for $memory, executable, in /dev/shm or /var/tmp; use a smaller --memory"
export TMPDIR

# Words of the command line that the kernel does not know become the environment of its init.
setsid "$kernel" root=/dev/root rootfstype=hostfs rootflags=/ ro mem="$memory" quiet selinux=0 \
    con=null con0=null,fd:2 ssl=null ssl0=null,fd:1 ssl1=null,fd:3 \
    uml_dir="$work/uml/" umid=uml init="$work/init.sh" HEARTH_UML_WORK="$work" </dev/null 3>&2 2>"$work/stderr" &
pid=$!

deadline=$((SECONDS + limit))
while kill -0 "$pid" 2>/dev/null && [ ! -e "$work/down" ]; do
    if [ $SECONDS -ge $deadline ]; then
        echo "uml: the time limit of $limit s is over; raise it with --timeout" >&2
        exit 124
    fi
    sleep 0.05
done
if [ ! -s "$work/status" ]; then
    cat "$work/stderr" >&2
    die "the kernel went down before the command ended; run with more --memory, or without quiet in $0 to see why"
fi
exit "$(cat "$work/status")"
