#!/bin/sh
# Makes the Python wheel of packaging/python: the programs, and a fixture for pytest.
#
#   packaging/wheel.sh [PROCESSOR] [FOLDER]
#   packaging/wheel.sh --compare
#
# PROCESSOR is x86_64, aarch64, armv7 or riscv64 (default: this machine's), FOLDER (default: target/dist)
# gets the wheel. Needs Python 3.11. With --compare maturin and wheel.py both make one of the same
# programs, and files and words that differ are told (exit status 1).
#
# Settings:
#   PROGRAMS  a folder with ipmi_sim, ipmi_simctl and sdrcomp for it, that were built before:
#             packaging/python/wheel.py packs them. Programs without shared libraries (packaging/build.sh)
#             make a wheel for every Linux system, others one for systems like this one.
#             Without it maturin builds, for this machine's processor and systems with the GNU C
#             library: `pip install maturin`
#   LEVEL     how hard to compress, 1 to 9; default: 9
#   MATURIN   the program maturin; default: maturin
#   PROFILE, TARGET_DIR  with maturin, Cargo's profile and folder; default: release, target/static
set -eu
umask 022
cd "$(dirname "$0")/.."
die() {
    echo "wheel.sh: $*" >&2
    exit 1
}
own=$(uname -m)
compare=
if [ "${1:-}" = --compare ]; then
    [ $# -eq 1 ] || die "--compare stands alone"
    compare=$(mktemp -d)
    trap 'rm -rf "$compare"' EXIT
    unset PROGRAMS
    set -- "$own" "$compare/maturin"
fi
case ${1:-$own} in
x86_64 | aarch64 | riscv64) machine=${1:-$own} ;;
armv7 | armv7l) machine=armv7l ;;
*) die "usage: packaging/wheel.sh [x86_64|aarch64|armv7|riscv64] [FOLDER]" ;;
esac
out=${2:-target/dist}
mkdir -p "$out"
: "${SOURCE_DATE_EPOCH:=$(git log -1 --format=%ct 2>/dev/null || echo 0)}"
export SOURCE_DATE_EPOCH
# The oldest systems for which there are names. maturin knows one family of them for a build.
case $machine in
riscv64) oldest=manylinux_2_31 everywhere=manylinux_2_31_riscv64.musllinux_1_2_riscv64 ;;
*) oldest=manylinux2014 everywhere=manylinux2014_$machine.manylinux_2_17_$machine.musllinux_1_1_$machine ;;
esac
if [ -n "${PROGRAMS:-}" ]; then
    tag=linux_$machine
    LC_ALL=C readelf -l "$PROGRAMS/ipmi_sim" | grep -q INTERP || tag=$everywhere
    wheel=$(python3 packaging/python/wheel.py "$PROGRAMS" "$tag" "$out")
    echo "wheel.sh: $wheel: $(stat -c %s "$wheel") bytes"
    exit 0
fi
[ "$machine" = "$own" ] || die "PROGRAMS has to say where the programs for $machine are"
case ${MATURIN:=maturin} in
/*) ;;
*/*) MATURIN=$PWD/$MATURIN ;;
esac
"$MATURIN" --version >/dev/null 2>&1 || die "maturin is missing: pip install maturin"
# The programs are as packaging/build.sh makes them, without shared libraries.
flags=$(sed -n "s/^flags='\(.*\)'\$/\1/p" packaging/build.sh)
[ -n "$flags" ] || die "packaging/build.sh does not say how programs become static"
out=$(cd "$out" && pwd)
target=${TARGET_DIR:-target/static}
case $target in /*) ;; *) target=$PWD/$target ;; esac
triple=$(rustc -vV | sed -n 's/^host: //p')
(
    cd packaging/python
    RUSTFLAGS=$flags "$MATURIN" build --quiet --locked --profile "${PROFILE:-release}" --target-dir "$target" \
        --target "$triple" --compatibility "$oldest" --out "$out"
)
wheel=$(ls "$out/ipmi_sim-"*"-py3-none-${everywhere%.musllinux*}.whl") || die "maturin made another wheel than that"
echo "wheel.sh: $wheel: $(stat -c %s "$wheel") bytes"
[ -n "$compare" ] || exit 0

case ${PROFILE:-release} in
dev) built=$target/$triple/debug ;;
*) built=$target/$triple/${PROFILE:-release} ;;
esac
mkdir "$compare/packed"
packed=$(LEVEL=1 python3 packaging/python/wheel.py "$built" "${everywhere%.musllinux*}" "$compare/packed")
# What is in a wheel, but for what its maker says of itself and maturin's list of libraries.
content() {
    python3 - "$1" <<'END'
import sys, zipfile
wheel = zipfile.ZipFile(sys.argv[1])
for path in sorted(path for path in wheel.namelist() if "/sboms/" not in path and not path.endswith("/RECORD")):
    print(path, oct(wheel.getinfo(path).external_attr >> 16 & 0o777))
    if path.endswith(("/METADATA", "/WHEEL", "/entry_points.txt")):
        lines = (line.partition("; charset")[0] for line in wheel.read(path).decode().splitlines())
        print("\n".join(sorted(line for line in lines if line and not line.startswith("Generator:"))))
END
}
content "$wheel" >"$compare/one"
content "$packed" >"$compare/other"
diff "$compare/one" "$compare/other" || die "maturin's wheel and that of wheel.py differ: see above"
echo "wheel.sh: maturin and wheel.py make the same of the same programs"
