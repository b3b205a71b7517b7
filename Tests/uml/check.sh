#!/bin/bash
# Checks run.sh itself: a harness that loses a status or an output would make every test in it pass.
set -u -o pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
failures=0
mkdir "$work/tmp"
export TMPDIR=$work/tmp

expect() {
    if [ "$2" = "$3" ]; then return; fi
    echo "uml check: $1: expected \"$2\", got \"$3\"" >&2
    failures=$((failures + 1))
}

"$here/run.sh" --env "SAID=a b" -- bash -c '
    echo "out $SAID $1"
    echo error >&2
    cat /sys/fs/cgroup/cgroup.subtree_control
    touch /etc/hearth-uml-check 2>/dev/null && echo "the host can be written to"
    test -e "$2" && echo "the temporary directory of the host can be seen"
    test "$(cat /sys/class/net/lo/operstate)" != down && echo loopback
    seq 1 20000 | tail -1
    exit 7' name "two  words" "$work/out" >"$work/out" 2>"$work/err"
expect "the exit status" 7 $?
expect "stdout" $'out a b two  words\ncpu io memory pids\nloopback\n20000' "$(cat "$work/out")"
expect "stderr" error "$(cat "$work/err")"

"$here/run.sh" -- bash -c 'kill -KILL $$' >/dev/null 2>&1
expect "the status of a command that was killed" 137 $?

"$here/run.sh" --timeout 4 -- sleep 1000 >/dev/null 2>"$work/err"
expect "the status after the time limit" 124 $?
expect "the message after it" "uml: the time limit of 4 s is over; raise it with --timeout" "$(cat "$work/err")"

expect "what was left behind" "" "$(ls -A "$work/tmp")"

[ $failures -eq 0 ] || exit 1
echo "user-mode Linux: the harness passes statuses and output, and leaves nothing"
