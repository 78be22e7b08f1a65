#!/bin/sh
# Compares this program with the original on the machine at hand: builds it and the load generator,
# starts both on the loopback address with the same configuration, asks them in turn, and prints
# tables of medians (README.md quotes them).
#
#   compat/bench/run.sh [--quick] [--rounds N] [--port N] [--static PROGRAM]
#
# Takes some seven minutes, and longer the first time; --quick takes some seconds and gives figures
# that say nothing but that everything works. Needs Rust and the Debian packages openipmi and
# ipmitool. Other work on the machine disturbs what is measured in time, and disturbs both alike. What
# the rows mean stands at the top of compare.rs. Single measurements: cargo run --release -p
# ipmi_sim-bench -- --help
#
#   ORIGINAL   the original            /usr/bin/ipmi_sim
#   OURS       this program            target/release/ipmi_sim, built when not given
#   STATIC     this program built static (packaging/build.sh x86_64), whose memory is measured too;
#              target/dist/x86_64/ipmi_sim when that is there
set -eu
cd "$(dirname "$0")/../.."

: "${ORIGINAL:=/usr/bin/ipmi_sim}"
: "${STATIC:=target/dist/x86_64/ipmi_sim}"
target=${CARGO_TARGET_DIR:-target}
PATH=$PATH:/usr/sbin:/sbin
for need in "$ORIGINAL" ipmitool; do
    command -v "$need" >/dev/null || {
        echo "run.sh: there is no $need: apt-get install openipmi ipmitool" >&2
        exit 1
    }
done
if [ -z "${OURS:-}" ]; then
    cargo build --release --quiet
    OURS=$target/release/ipmi_sim
fi
cargo build --release --quiet -p ipmi_sim-bench
[ ! -x "$STATIC" ] || set -- --static "$STATIC" "$@"

date -u '+%Y-%m-%d %H:%M UTC'
echo
"$target/release/ipmi_sim-bench" compare --original "$ORIGINAL" --ours "$OURS" "$@"
echo
echo "Original: $(dpkg-query -W -f '${Package} ${Version}' openipmi 2>/dev/null || echo "$ORIGINAL")." \
    "Machine: $(awk -F ': ' '/^model name|^uarch/ { print $2; exit }' /proc/cpuinfo), $(nproc) processors," \
    "$(uname -sr), load $(cut -d ' ' -f 1-3 /proc/loadavg)."
