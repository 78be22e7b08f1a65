#!/bin/sh
# Makes a clean Debian root for tests/package.rs:
#
#   tests/package/root.sh FOLDER
#
# Afterwards FOLDER holds `root.tar`, the smallest system of this machine's release, the package
# `openipmi.deb`, and `systemd/*.deb`, what systemd needs in there; nothing is done when they are
# there already. Needs root, debootstrap and the network: the mirror in MIRROR, by default the one
# this machine's apt uses. Exit status 1 and a line that says what to do when that fails.
set -eu

target=$1
case $target in /*) ;; *) target=$PWD/$target ;; esac
[ ! -e "$target/root.tar" ] || [ ! -e "$target/systemd" ] || exit 0

give_up() {
    echo "root.sh: $1" >&2
    echo "root.sh: tests/package.rs installs the package in a Debian of its own: run \"$0 $target\" as root, with" \
        "debootstrap installed (apt-get install debootstrap) and network access" >&2
    exit 1
}

# COMMAND, a second time with the lists of today: they may be missing, or too old for what the
# server has.
with_lists() {
    "$@" >"$work/apt.log" 2>&1 || {
        apt-get update >"$work/update.log" 2>&1 || true
        "$@" >>"$work/apt.log" 2>&1
    }
}

# systemd, and what of its needs the root does not have, into a folder. By this machine's lists
# and keys, against what is installed in there.
systemd_packages() {
    mkdir -p "$work/systemd/partial"
    tar -xOf "$1" ./var/lib/dpkg/status >"$work/status"
    with_lists apt-get -y --no-install-recommends --download-only -o "Dir::State::status=$work/status" \
        -o "Dir::Cache::archives=$work/systemd" -o APT::Sandbox::User=root install systemd-sysv || {
        cat "$work/apt.log" >&2
        give_up "the package systemd-sysv cannot be downloaded"
    }
    rm -rf "$work/systemd/partial" "$work/systemd/lock"
}

[ "$(id -u)" -eq 0 ] || give_up "only root can make a Debian system"
command -v debootstrap >/dev/null 2>&1 || give_up "debootstrap is missing"
suite=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
[ -n "$suite" ] || give_up "this is no release of Debian"
if [ -z "${MIRROR:-}" ]; then
    # shellcheck disable=SC2016 # apt's variables
    MIRROR=$(apt-get indextargets --format '$(RELEASE) $(COMPONENT) $(REPO_URI)' 'Identifier: Packages' |
        sed -n "s/^$suite main //p" | head -n 1)
    [ -n "$MIRROR" ] || give_up "apt knows no mirror of $suite; say one in MIRROR"
fi

mkdir -p "$(dirname "$target")"
work=$(mktemp -d "$target.XXXXXX")
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
if [ -e "$target/root.tar" ]; then
    # Made by an earlier form of this script.
    systemd_packages "$target/root.tar"
    mv -T "$work/systemd" "$target/systemd" 2>/dev/null || [ -e "$target/systemd" ]
    exit 0
fi
mkdir -p "$work/root/etc/dpkg/dpkg.cfg.d" "$work/files"
# It is thrown away after the test: no waiting for disks, no translations and documents.
cat >"$work/root/etc/dpkg/dpkg.cfg.d/small" <<'END'
force-unsafe-io
path-exclude /usr/share/locale/*
path-exclude /usr/share/zoneinfo/*
END
debootstrap --variant=minbase "$suite" "$work/root" "$MIRROR" >"$work/debootstrap.log" 2>&1 || {
    tail -n 20 "$work/debootstrap.log" >&2
    give_up "debootstrap failed"
}
rm -rf "$work"/root/var/cache/apt/* "$work"/root/var/lib/apt/lists/* "$work"/root/usr/share/locale/*
# Nothing may be started by a package; stopping is its business.
cat >"$work/root/usr/sbin/policy-rc.d" <<'END'
#!/bin/sh
case $2 in
*start* | *reload*) exit 101 ;;
esac
exit 0
END
chmod 755 "$work/root/usr/sbin/policy-rc.d"
# shellcheck disable=SC2016 # for the inner shell
with_lists sh -c 'cd "$0" && apt-get download openipmi' "$work" || {
    cat "$work/apt.log" >&2
    give_up "the package openipmi cannot be downloaded"
}
mv "$work"/openipmi_*.deb "$work/files/openipmi.deb"
tar -C "$work/root" -cf "$work/files/root.tar" .
systemd_packages "$work/files/root.tar"
mv "$work/systemd" "$work/files/systemd"
# Whole or not at all.
mv "$work/files" "$target" 2>/dev/null || [ -e "$target/root.tar" ]
