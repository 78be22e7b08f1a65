#!/bin/sh
# What others notice of a flood: latency of commands in one session beside strangers' datagrams, 100,000 a second,
# of each kind in turn, and how long logins take meanwhile.
#
#   compat/bench/flood.sh [RATE] [SECONDS]
#
# To be measured on a quiet machine with a processor to spare for whoever floods; its own share is told by the row
# "none". 99 % should be within 3 ms. OURS and BENCH name programs that are there already.
set -eu
cd "$(dirname "$0")/../.."
rate=${1:-100000}
seconds=${2:-5}
target=${CARGO_TARGET_DIR:-target}
[ -n "${OURS:-}" ] || { cargo build --release --quiet && OURS=$target/release/ipmi_sim; }
[ -n "${BENCH:-}" ] || { cargo build --release --quiet -p ipmi_sim-bench && BENCH=$target/release/ipmi_sim-bench; }
port=24710
folder=$(mktemp -d)
trap 'kill "$program" 2>/dev/null; rm -rf "$folder"' EXIT
sed "s/^\( *addr 127.0.0.1\) .*/\1 $port/" examples/minimal/lan.conf >"$folder/lan.conf"
cp examples/minimal/sim.emu "$folder/"
"$OURS" -n -c "$folder/lan.conf" -f "$folder/sim.emu" -s "$folder" >"$folder/log" 2>&1 &
program=$!
sleep 1
echo "| flood | p50, us | p99, us | p99.9, us | lost | logins a second |"
echo "|---|---:|---:|---:|---:|---:|"
for kind in none junk rakp1 open capabilities; do
    flood=
    if [ $kind != none ]; then
        "$BENCH" flood "$port" $kind --rate "$rate" --seconds $((seconds * 2 + 1)) >"$folder/sent" &
        flood=$!
        sleep 0.3
    fi
    row=$("$BENCH" load "$port" --way 3 --sessions 1 --flight 1 --seconds "$seconds" |
        awk '/^p50|^p99|^lost/ { printf "%s | ", $2 }')
    logins=$("$BENCH" logins "$port" --way 3 --clients 1 --seconds "$seconds" | awk '/^per-second/ { print $2 }')
    echo "| $kind | $row$logins |"
    [ -z "$flood" ] || wait "$flood"
done
