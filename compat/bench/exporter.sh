#!/bin/bash
# What monitoring notices of BMCs that are in trouble: Debian's prometheus-ipmi-exporter reads the sensors of 300 BMCs again and again, at first
# while nothing is wrong with any, then while 1 % hang, 1 % lose 30 % of their datagrams and 1 % are 2 s late. Prints what the
# other 97 % take beside their bars, and ends with 1 when one is missed.
#
#   compat/bench/exporter.sh [--quick] [--first] [--slack MS]
#
# Takes some three minutes; --quick one. On a machine with other work --first gives the program and who asks it real-time priority (root), and
# --slack has the bar be so many milliseconds and not one. Needs Rust, Python, freeipmi-tools and prometheus-ipmi-exporter (EXPORTER names its program;
# tests/oem/clients.sh brings it without installing it). OURS names a program that is there already.
set -eu
cd "$(dirname "$0")/../.."
target=${CARGO_TARGET_DIR:-target}
PATH=$PATH:/usr/sbin:/sbin
EXPORTER=${EXPORTER:-prometheus-ipmi-exporter}
command -v "$EXPORTER" >/dev/null || {
    echo "exporter.sh: there is no $EXPORTER: apt-get install prometheus-ipmi-exporter" >&2
    exit 1
}
[ -n "${OURS:-}" ] || { cargo build --release --quiet && OURS=$target/release/ipmi_sim; }
date -u '+%Y-%m-%d %H:%M UTC'
echo
status=0
python3 compat/bench/exporter.py "$OURS" "$EXPORTER" "$@" || status=1
echo
echo "Machine: $(awk -F ': ' '/^model name|^uarch/ { print $2; exit }' /proc/cpuinfo), $(nproc) processors," \
    "$(uname -sr), load $(cut -d ' ' -f 1-3 /proc/loadavg)."
exit $status
