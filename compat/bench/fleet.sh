#!/bin/sh
# What a fleet takes: 10,000 BMCs of examples/fleet in one process, each at an address of its own, and 100,000 that only
# start and answer. Prints each figure beside its bar, and ends with 1 when one is missed.
#
#   compat/bench/fleet.sh [--quick] [--only PARTS] [--port N] [--slack FACTOR]
#
# Takes some five minutes; --quick measures 1,000 BMCs in half a minute. Needs Rust and freeipmi's ipmipower. Memory,
# descriptors, wake-ups and losses are held exactly. What is measured in time may take longer on a machine with other work: by
# the factor that a loop takes longer there, or by FACTOR. OURS and BENCH name programs that are there already.
set -eu
cd "$(dirname "$0")/../.."
target=${CARGO_TARGET_DIR:-target}
PATH=$PATH:/usr/sbin:/sbin
command -v ipmipower >/dev/null || {
    echo "fleet.sh: there is no ipmipower: apt-get install freeipmi-tools" >&2
    exit 1
}
[ -n "${OURS:-}" ] || { cargo build --release --quiet && OURS=$target/release/ipmi_sim; }
[ -n "${BENCH:-}" ] || { cargo build --release --quiet -p ipmi_sim-bench && BENCH=$target/release/ipmi_sim-bench; }
# ipmipower has two sockets for each host.
# shellcheck disable=SC3045 # dash and busybox know it
ulimit -n "$(ulimit -H -n)"

date -u '+%Y-%m-%d %H:%M UTC'
echo
status=0
"$BENCH" fleet --ours "$OURS" "$@" || status=1
echo "Machine: $(awk -F ': ' '/^model name|^uarch/ { print $2; exit }' /proc/cpuinfo), $(nproc) processors," \
    "$(uname -sr), load $(cut -d ' ' -f 1-3 /proc/loadavg)."
exit $status
