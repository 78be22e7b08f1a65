#!/bin/sh
# Boots a Debian root as a machine of its own, for tests/package/systemd.rs:
#
#   tests/package/boot.sh ROOT
#
# systemd is the first process of a process namespace, with mounts, a control group, a host name
# and IPC of its own; the network is the caller's. The machine ends with this script. Exit status
# 3, and a line that says why, where such namespaces cannot be made; nothing is changed then.
#
#   tests/package/boot.sh --try
#
# only finds that out.
set -eu

root=${1:?"usage: boot.sh ROOT|--try"}
groups=$(mktemp -d)
group=$groups/ipmi_sim-test-$$

unable() {
    echo "boot.sh: $1" >&2
    rmdir "$group" "$groups" 2>/dev/null || :
    exit 3
}
# The mount is this script's alone, its control group is not: whoever kills the script leaves an
# empty group behind, which the next one takes away.
[ "${BOOT_SH_MOUNTS:-}" = own ] || {
    rmdir "$groups"
    unshare --mount true 2>/dev/null || unable "no mount namespaces here"
    BOOT_SH_MOUNTS=own exec unshare --mount sh "$0" "$@"
}
mount -t cgroup2 none "$groups" 2>/dev/null || unable "control groups of version 2 cannot be mounted here"
for left in "$groups"/ipmi_sim-test-*; do
    [ -e "/proc/${left##*-}" ] || find "$left" -depth -type d -exec rmdir {} + 2>/dev/null || :
done
mkdir "$group" 2>/dev/null || unable "no control group can be made here"
echo 0 2>/dev/null >"$group/cgroup.procs" || unable "no process can be moved to another control group here"
unshare --cgroup --pid --fork --ipc --uts true 2>/dev/null || unable "no process and control group namespaces here"
[ "$root" != --try ] || {
    echo 0 >"$groups/cgroup.procs"
    rmdir "$group"
    umount "$groups"
    rmdir "$groups"
    exit 0
}
umount "$groups"
rmdir "$groups"

# shellcheck disable=SC2016 # for the inner shell
exec unshare --cgroup --pid --fork --kill-child --mount --ipc --uts sh -euc '
    cd "$0"
    mount --bind . .
    cd "$0"
    hostname booted
    mount -t proc proc proc
    mount -t tmpfs tmpfs sys
    mkdir -p sys/fs/cgroup
    mount -t cgroup2 cgroup2 sys/fs/cgroup
    for folder in run tmp dev; do mount -t tmpfs tmpfs $folder; done
    for device in null zero full random urandom tty; do
        : >dev/$device
        mount --bind /dev/$device dev/$device
    done
    mkdir dev/shm dev/pts
    ln -s /proc/self/fd dev/fd
    for number in 0:stdin 1:stdout 2:stderr; do ln -s fd/${number%:*} dev/${number#*:}; done
    mkdir -p outside
    pivot_root . outside
    umount -l outside
    exec env -i container=ipmi_sim-test PATH=/usr/sbin:/usr/bin:/sbin:/bin /sbin/init
' "$root"
