#!/bin/bash
# fuzz.sh [--seconds N] [NAME...]: builds the fuzz targets and runs each (or those named) for N seconds.
#
# A target begins with its inputs in corpus/NAME, keeps what it finds on the way in .build-fuzz/work/NAME, and stops at the first
# input that breaks it; that one is put into corpus/NAME, where the tests run it from then on. Prints one line a target. The
# exit status is 1 when anything was found.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
cd "$root"
seconds=60
if [ "${1:-}" = --seconds ]; then
    [[ "${2:-}" =~ ^[1-9][0-9]*$ ]] || { echo "fuzz.sh: --seconds needs a number, as in --seconds 60" >&2; exit 2; }
    seconds=$2
    shift 2
fi
scratch=$root/.build-fuzz
log=$scratch/build.log
mkdir -p "$scratch"
echo "building with the fuzzer and the address sanitiser (the first time takes some minutes)"
if ! HEARTH_FUZZ=1 swift build --scratch-path "$scratch" -j "${JOBS:-2}" --product hearth-fuzz --sanitize address \
    -Xswiftc -sanitize=fuzzer -Xcc -fsanitize=fuzzer-no-link >"$log" 2>&1; then
    grep -E 'error' "$log" >&2 || tail -20 "$log" >&2
    echo "fuzz.sh: the build failed; all of its output is in $log" >&2
    exit 1
fi
# Its own backtraces only get into the way of the sanitiser.
export SWIFT_BACKTRACE=enable=no
program=$scratch/debug/hearth-fuzz
mapfile -t known < <("$program" | cut -d' ' -f1)
names=("$@")
[ ${#names[@]} -gt 0 ] || names=("${known[@]}")
found=0
for name in "${names[@]}"; do
    [[ " ${known[*]} " == *" $name "* ]] ||
        { echo "fuzz.sh: no target '$name'; there are: ${known[*]}" >&2; exit 2; }
    work=$scratch/work/$name
    crashes=$scratch/crashes/$name
    mkdir -p "$work" "$crashes" "$here/corpus/$name"
    dictionary=()
    [ ! -f "$here/dictionaries/$name.dict" ] || dictionary=(-dict="$here/dictionaries/$name.dict")
    status=0
    # A start of the process that leaves memory behind is no finding; what an input leaks is (-detect_leaks looks after each).
    "$program" "$name" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
        -artifact_prefix="$crashes/" "${dictionary[@]}" "$work" "$here/corpus/$name" >"$crashes/log" 2>&1 || status=$?
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$crashes/log")
    covered=$(grep -o 'cov: [0-9]*' "$crashes/log" | tail -1 | cut -d' ' -f2)
    if [ "$status" -eq 0 ]; then
        printf '%-18s nothing found in %s s: %s runs, %s edges\n' "$name" "$seconds" "${runs:-?}" "${covered:-?}"
        continue
    fi
    found=1
    reason=$(grep -m1 -E 'Fatal error|simulated kernel:|ERROR: ' "$crashes/log" || tail -1 "$crashes/log")
    printf '%-18s FOUND: %s\n' "$name" "$reason"
    for input in "$crashes"/crash-* "$crashes"/timeout-* "$crashes"/oom-* "$crashes"/leak-*; do
        [ -f "$input" ] || continue
        kept=$here/corpus/$name/found-$(sha256sum "$input" | cut -c1-12)
        mv "$input" "$kept"
        printf '%-18s kept as %s; its output is in %s\n' '' "${kept#"$root"/}" "${crashes#"$root"/}/log"
    done
done
exit "$found"
