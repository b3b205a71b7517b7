#!/bin/bash
# The init of the machine that run.sh boots: makes it what a node is, runs the command, writes its status, powers off.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
work=$HEARTH_UML_WORK

mount -t proc -o nosuid,nodev,noexec proc /proc
mount -t sysfs -o nosuid,nodev,noexec sysfs /sys
mountpoint -q /dev || mount -t devtmpfs -o mode=755,nosuid devtmpfs /dev  # the kernel may have done it
mkdir -p /dev/pts /dev/shm
mount -t devpts -o nosuid,noexec,newinstance,ptmxmode=0666,mode=620 devpts /dev/pts
mount -t tmpfs -o nosuid,nodev tmpfs /dev/shm
ln -sfn /proc/self/fd /dev/fd
ln -sfn fd/0 /dev/stdin
ln -sfn fd/1 /dev/stdout
ln -sfn fd/2 /dev/stderr
[ -e /dev/ptmx ] || ln -s pts/ptmx /dev/ptmx
# The one place of the host that can be written to, before what hides it.
mount -t tmpfs -o nosuid,nodev,mode=755 tmpfs /run
mkdir -p /run/hearth-uml
mount -t hostfs -o "$work" none /run/hearth-uml
for directory in /tmp /var/tmp; do mount -t tmpfs -o nosuid,nodev,mode=1777 tmpfs $directory; done
mount -t tmpfs -o nosuid,nodev,mode=755 tmpfs /var/lib/hearth 2>/dev/null
# What is wanted of the host below one of these is mounted again at its own place.
mapfile -d '' -t shown </run/hearth-uml/shown
for directory in "${shown[@]}"; do
    [ -d "$directory" ] && continue
    mkdir -p "$directory" && mount -t hostfs -o "ro,$directory" none "$directory"
done

mount -t cgroup2 -o nosuid,nodev,noexec none /sys/fs/cgroup
for controller in $(cat /sys/fs/cgroup/cgroup.controllers); do
    echo "+$controller" >/sys/fs/cgroup/cgroup.subtree_control
done
# Debian's kernel has overlay as a module.
for module in /usr/lib/uml/modules/"$(uname -r)"/kernel/fs/overlayfs/overlay.ko; do
    [ -e "$module" ] && insmod "$module"
done
echo hearth-uml >/proc/sys/kernel/hostname
ip link set lo up 2>/dev/null || ifconfig lo up

mapfile -d '' -t command </run/hearth-uml/argv
mapfile -d '' -t environment </run/hearth-uml/environment
stty -F /dev/ttyS0 -opost -echo
stty -F /dev/ttyS1 -opost -echo
cd "$(cat /run/hearth-uml/directory)" || cd /
env -i PATH="$PATH" HOME=/tmp TMPDIR=/tmp SHELL=/bin/sh "${environment[@]}" "${command[@]}" \
    </dev/null >/dev/ttyS0 2>/dev/ttyS1
echo $? >/run/hearth-uml/status.new
mv /run/hearth-uml/status.new /run/hearth-uml/status
sync
: >/run/hearth-uml/down
echo o >/proc/sysrq-trigger
while :; do sleep 1; done
