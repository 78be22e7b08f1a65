#!/bin/bash
# Processor instructions of single datagrams on their way through the simulator, counted by valgrind and so the same on
# every machine and under any load. Says which are above their bound, and ends with status 1 then.
#
#   compat/bench/instructions.sh [PIECES]
#
# Builds benches/pieces.rs with names of functions, which takes minutes, unless it is given; then less than a minute.
# Needs valgrind. Algorithms are counted as they are without the processor's own (valgrind has no SHA extensions).
set -eu
cd "$(dirname "$0")/../.."
command -v callgrind_annotate >/dev/null || { echo "instructions.sh: there is no valgrind" >&2; exit 1; }
pieces=${1:-}
if [ -z "$pieces" ]; then
    export CARGO_PROFILE_BENCH_DEBUG=1 CARGO_PROFILE_BENCH_STRIP=none
    pieces=$(cargo bench --no-run --bench pieces 2>&1 | sed -n 's/.*Executable .*(\(.*\))/\1/p')
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
samples=20 size=25 failed=0
# Instructions of `pieces::Rig::datagram` for each round of a bench.
measure() {
    valgrind --tool=callgrind --callgrind-out-file="$folder/count" "$pieces" --bench "$1" --skip command_file \
        --sample-count $samples --sample-size $size >/dev/null 2>&1
    callgrind_annotate --inclusive=yes "$folder/count" 2>/dev/null | tr -d , |
        awk -v rounds=$((samples * size)) '/pieces::Rig::datagram/ { printf "%d", $1 / rounds; exit }'
}
echo "| | instructions | bound |"
echo "|---|---:|---:|"
# Bounds: of commands, what they took before the program's defence against floods; of logins, some slack.
while read -r bench bound; do
    count=$(measure "$bench")
    [ -n "$count" ] || { echo "instructions.sh: nothing was counted for $bench" >&2; exit 1; }
    echo "| ${bench/.\*/ } | $count | $bound |"
    [ "$count" -le "$bound" ] || { failed=1; echo "$bench: $count instructions are more than $bound" >&2; }
done <<'ROWS'
command.*3 16498
command.*17 27311
command.*md5 10301
login.*3 145000
login.*md5 95000
ROWS
exit $failed
