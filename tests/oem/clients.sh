#!/bin/sh
# Puts a program that is not among the clients of every test into a folder of its own for tests/oem.rs:
#
#   tests/oem/clients.sh smfc|prometheus-ipmi-exporter FOLDER
#
# smfc is PyPI's, in a Python environment; prometheus-ipmi-exporter is Debian's, unpacked and not installed. Nothing is done when it
# is there already. Needs the network; exit status 1 and a line that says why when that fails.
set -eu

name=$1
target=$2
[ ! -e "$target/complete" ] || exit 0

log=$(mktemp)
trap 'rm -f "$log"' EXIT
give_up() {
    rm -rf "$target"
    echo "clients.sh: $1: $(tail -n 1 "$log")" >&2
    exit 1
}

# A half of it is begun anew.
rm -rf "$target"
mkdir -p "$target"
case $name in
smfc)
    python3 -m venv "$target" >"$log" 2>&1 || give_up 'no Python environment, "apt-get install python3-venv"'
    "$target/bin/python" -m pip install --quiet --disable-pip-version-check smfc==6.5.0 >"$log" 2>&1 ||
        give_up "pip cannot install smfc"
    ;;
prometheus-ipmi-exporter)
    (cd "$target" && apt-get download "$name") >"$log" 2>&1 || give_up "apt-get cannot download $name"
    dpkg -x "$target/$name"_*.deb "$target" >"$log" 2>&1 || give_up "dpkg cannot unpack $name"
    ;;
*)
    echo "nobody knows $name" >"$log"
    give_up "no such program"
    ;;
esac
touch "$target/complete"
