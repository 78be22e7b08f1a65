#!/bin/bash
# What the control door takes: a list of 10,000 BMCs, the way of an event to its reader, and what a command of a client
# costs while metrics are scraped and events are read. Prints each figure beside its bar, and ends with 1 when one is missed.
#
#   compat/bench/control.sh [--quick] [--slack FACTOR]
#
# Takes some two minutes; --quick measures 1,000 BMCs and shorter. Needs Rust and Python. What a command costs is the time on
# a processor of the thread that serves the BMCs, in rounds with and without the door that take turns, so that
# other work on the machine is in both; times may take longer there, by FACTOR. OURS and BENCH name programs that are there already.
set -eu
cd "$(dirname "$0")/../.."
target=${CARGO_TARGET_DIR:-target}
[ -n "${OURS:-}" ] || { cargo build --release --quiet && OURS=$target/release/ipmi_sim; }
[ -n "${BENCH:-}" ] || { cargo build --release --quiet -p ipmi_sim-bench && BENCH=$target/release/ipmi_sim-bench; }
ulimit -n "$(ulimit -H -n)"
date -u '+%Y-%m-%d %H:%M UTC'
echo
status=0
python3 compat/bench/control.py "$OURS" "$BENCH" "$@" || status=1
echo
echo "Machine: $(awk -F ': ' '/^model name|^uarch/ { print $2; exit }' /proc/cpuinfo), $(nproc) processors," \
    "$(uname -sr), load $(cut -d ' ' -f 1-3 /proc/loadavg)."
exit $status
