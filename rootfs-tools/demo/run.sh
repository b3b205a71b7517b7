#!/bin/bash
# The demonstration: an agent of its own, the example functions, and what they answer. Every answer is checked.
#
#   rootfs-tools/demo/run.sh [--bin DIRECTORY] [--rounds N] [--uml]
#
# --bin     where hearthd, hearth and hearth-nursery are (the repository's bin/)
# --rounds  how often the static binary is started by hearth, crun and runc each (9, or 3 with --uml; 0: not at all)
# --uml     the same in user-mode Linux, where the limits of cgroup v2 are real; UML_TIMEOUT seconds at most (900)
#
# Needs root, through sudo if it must. Leaves nothing: no process, no cgroup, no mount, no file.
set -eu -o pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
bin=$root/bin
rounds=
uml=no

fail() {
    echo "run.sh: $1" >&2
    exit 2
}

while [ $# -gt 0 ]; do
    case $1 in
    --bin | --rounds) [ $# -ge 2 ] || fail "$1 needs a value" ;;&
    --bin) bin=$2; shift 2 ;;
    --rounds) rounds=$2; shift 2 ;;
    --uml) uml=yes; shift ;;
    -h | --help) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "$0"; exit 0 ;;
    *) fail "unknown argument $1; usage: run.sh [--bin DIRECTORY] [--rounds N] [--uml]" ;;
    esac
done
for program in hearthd hearth hearth-nursery; do
    [ -x "$bin/$program" ] || fail "there is no $bin/$program; run make build, or name its directory with --bin"
done
bin=$(cd "$bin" && pwd)

if [ $uml = yes ]; then
    exec "$root/Tests/uml/run.sh" --timeout "${UML_TIMEOUT:-900}" --show "$bin" -- \
        "$here/run.sh" --bin "$bin" ${rounds:+--rounds "$rounds"}
fi
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || fail "sandboxes need root and there is no sudo; run it as root"
    exec sudo ${NO_COLOR:+env NO_COLOR="$NO_COLOR"} "$here/run.sh" --bin "$bin" ${rounds:+--rounds "$rounds"}
fi

python=/usr/bin/python3
[ -x "$python" ] || python=$(command -v python3) || fail "python3 was not found; install it (make deps)"
# A mount namespace of its own: whatever is mounted in it and stays is the demonstration's, whoever else works here.
PYTHONDONTWRITEBYTECODE=1 exec unshare --mount --propagation private -- \
    "$python" "$here/demo.py" --bin "$bin" ${rounds:+--rounds "$rounds"}
