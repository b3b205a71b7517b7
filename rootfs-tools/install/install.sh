#!/bin/bash
# Installs the Debian packages of apt-packages.txt that this machine lacks. Says what it does; does nothing twice.
#
#   rootfs-tools/install/install.sh [--check] [GROUP...]
#
# Groups are build, run, test and bench; without one, all. --check installs nothing and exits with 1 when something is
# missing.
set -u -o pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
check=no
groups=" "
for argument in "$@"; do
    case $argument in
    --check) check=yes ;;
    build | run | test | bench) groups+="$argument " ;;
    *)
        echo "install.sh: unknown argument $argument; usage: install.sh [--check] [build|run|test|bench]..." >&2
        exit 2
        ;;
    esac
done

fail() {
    echo "install.sh: $1" >&2
    exit 1
}

# A program that came from elsewhere (a Node of the distributor's own, say) does as well as Debian's.
present() {
    case $1 in
    nodejs) command -v node >/dev/null && return 0 ;;
    python3) [ -x /usr/bin/python3 ] && return 0 ;;
    esac
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

command -v swift >/dev/null || fail "swift was not found; install Swift 6.3 and put its usr/bin into PATH"
command -v dpkg-query >/dev/null ||
    fail "this machine has no dpkg; install what $here/apt-packages.txt names with its own package manager"

missing=()
while read -r name group reason; do
    case $name in '' | \#*) continue ;; esac
    if [ "$groups" != " " ] && [[ $groups != *" $group "* ]]; then continue; fi
    present "$name" && continue
    missing+=("$name")
    echo "missing: $name ($reason)"
done <"$here/apt-packages.txt"

if [ ${#missing[@]} -eq 0 ]; then
    echo "every Debian package that Hearth needs is installed"
    exit 0
fi
[ $check = yes ] && exit 1

privileged=()
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null ||
        fail "installing needs root and there is no sudo; run as root: apt-get install ${missing[*]}"
    privileged=(sudo)
fi
export DEBIAN_FRONTEND=noninteractive
apt() {
    # Another apt may be at work: wait for its lock rather than fail.
    ${privileged[@]+"${privileged[@]}"} env DEBIAN_FRONTEND=noninteractive \
        apt-get -qq -o DPkg::Lock::Timeout=300 "$@"
}
echo "installing ${missing[*]}"
apt update || fail "apt-get update failed; look at /etc/apt/sources.list and the network"
apt install -y --no-install-recommends "${missing[@]}" >/dev/null || fail "apt-get could not install ${missing[*]}"
for name in "${missing[@]}"; do present "$name" || fail "$name is still missing after its installation"; done
echo "installed"
