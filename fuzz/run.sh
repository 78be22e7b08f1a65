#!/bin/bash
# Fuzzes the targets one after the other and keeps what is worth keeping.
#
#   fuzz/run.sh [SECONDS] [TARGET...]      60 seconds for each of all targets, if nothing is said
#
# Wants cargo-fuzz (cargo install cargo-fuzz) and g++; the stable toolchain does. Address
# sanitizer, overflow checks, a limit of memory and of 5 seconds for each input.
#
#   FUZZ_WORK    folder of the large corpora and of findings, fuzz/work if not set
#   FUZZ_KEEP    bytes of each small corpus that is checked in, 130000 if not set
set -u
cd "$(dirname "$0")" || exit 1
seconds=${1:-60}
shift
targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=(lan_conf command state sdrs wire serial sim)
work=${FUZZ_WORK:-work}
keep=${FUZZ_KEEP:-130000}
export RUSTC_BOOTSTRAP=1
cargo fuzz build || exit 1
release=target/$(rustc -vV | sed -n 's/^host: //p')/release
mkdir -p "$work/seeds" && "$release/seeds" "$work/seeds" || exit 1
failed=0
for target in "${targets[@]}"; do
    mkdir -p "$work/$target" "$work/findings" "corpus/$target"
    others=()
    for folder in "regressions/$target" "captures/$target"; do
        [ -d "$folder" ] && others+=("$folder")
    done
    limits=(-timeout=5 -rss_limit_mb=2048 -malloc_limit_mb=256 -max_len=4096)
    [ -f "$target.dict" ] && limits+=("-dict=$target.dict")
    echo "== $target: $seconds s, from $(date -u +%T)"
    "$release/$target" "${limits[@]}" -max_total_time="$seconds" -print_final_stats=1 \
        -artifact_prefix="$work/findings/$target-" "$work/$target" "corpus/$target" "$work/seeds/$target" \
        "${others[@]}" >"$work/$target.log" 2>&1 || { failed=1; echo "FINDING, see $work/$target.log"; }
    grep -E "^stat::|^Done|^SUMMARY" "$work/$target.log"
    # The least set of inputs with the same coverage, small ones first, as much as is kept.
    rm -rf "$work/least" && mkdir "$work/least"
    "$release/$target" -timeout=5 -rss_limit_mb=2048 -merge=1 "$work/least" "$work/$target" "corpus/$target" \
        "$work/seeds/$target" >>"$work/$target.log" 2>&1 || { failed=1; echo "FINDING while merging"; continue; }
    rm -f "corpus/$target"/*
    total=0
    # shellcheck disable=SC2045 # by size, and their names are hexadecimal
    for file in $(ls -Sr "$work/least"); do
        size=$(stat -c %s "$work/least/$file")
        total=$((total + size))
        [ "$total" -le "$keep" ] || break
        cp "$work/least/$file" "corpus/$target/$file"
    done
    rm -rf "${work:?}/$target" && mv "$work/least" "$work/$target"
    echo "kept $(ls "corpus/$target" | wc -l) of $(ls "$work/$target" | wc -l) inputs"
done
exit $failed
