#!/bin/bash
# Runs those Swift tests in user-mode Linux whose names match a regular expression, after `swift build --build-tests`.
#
#   Tests/uml/run-tests.sh [--build DIRECTORY] [--timeout SECONDS] [FILTER]
#
# Everything is slow in there (a fork 2 ms, a program's start 30 ms, a system call 50 us) and the machine has one CPU,
# so name the tests that need the kernel of it: the limits of cgroup v2. The exit status is the tests'.
set -u -o pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
build="$here/../../.build/debug"
limit=900
filter=

while [ $# -gt 0 ]; do
    case $1 in
    --build) build=$2; shift 2 ;;
    --timeout) limit=$2; shift 2 ;;
    -*) echo "run-tests.sh: unknown option $1; usage: run-tests.sh [--build DIRECTORY] [--timeout SECONDS] [FILTER]" >&2
        exit 2 ;;
    *) filter=$1; shift ;;
    esac
done

bundles=("$build"/*PackageTests.xctest)
bundle=$(realpath "${bundles[0]}" 2>/dev/null)
if [ ! -x "$bundle" ]; then
    echo "run-tests.sh: no test bundle in $build; build it: swift build --build-tests" >&2
    exit 2
fi
cd "$here/../.." || exit 2
"$here/run.sh" --timeout "$limit" --show "$(dirname "$bundle")" -- \
    "$bundle" --testing-library swift-testing ${filter:+--filter "$filter"}
status=$?
# EX_UNAVAILABLE is Swift Testing's word for "no test matched".
if [ $status -eq 69 ]; then
    echo "run-tests.sh: no test matches the filter \"$filter\"" >&2
    exit 2
fi
exit $status
