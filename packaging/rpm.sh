#!/bin/sh
# Makes the RPM package ipmi-sim by packaging/rpm/ipmi-sim.spec, around programs that are there.
#
#   packaging/rpm.sh [FOLDER]
#
# FOLDER (default: target/dist) gets ipmi-sim-VERSION-1.ARCH.rpm. Needs rpmbuild (Debian's package rpm).
#
# Settings:
#   PROGRAMS  a folder with ipmi_sim, ipmi_simctl and sdrcomp that were built before; without it they are
#             built here, for this machine. What packaging/build.sh made will do, with ARCH; a
#             package for other systems than this one wants those
#   ARCH      RPM's name of their processor (x86_64, aarch64, armv7hl, riscv64); default: this machine's
set -eu
umask 022
cd "$(dirname "$0")/.."
command -v rpmbuild >/dev/null || {
    echo "rpm.sh: rpmbuild is missing: apt-get install rpm" >&2
    exit 1
}
: "${ARCH:=$(rpm --eval '%{_arch}')}"
if [ -z "${PROGRAMS:-}" ]; then
    cargo build --release --locked --bins
    PROGRAMS=${CARGO_TARGET_DIR:-target}/release
fi
out=${1:-target/dist}
mkdir -p "$out"
# rpmbuild cannot do with spaces in the names of folders.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
ln -s "$(cd "$PROGRAMS" && pwd)" "$work/programs"
ln -s "$PWD" "$work/project"
# The same sources make the same package: its times are those of the last change.
: "${SOURCE_DATE_EPOCH:=$(git log -1 --format=%ct 2>/dev/null || date +%s)}"
export SOURCE_DATE_EPOCH
rpmbuild -bb --quiet --target "$ARCH" --define "_topdir $work" --define "_rpmdir $work/out" \
    --define "_rpmfilename %{NAME}-%{VERSION}-%{RELEASE}.%{ARCH}.rpm" --define "programs $work/programs" \
    --define "project $work/project" --define "_buildhost localhost" --define "use_source_date_epoch_as_buildtime 1" \
    --define "clamp_mtime_to_source_date_epoch 1" packaging/rpm/ipmi-sim.spec >"$work/log" 2>&1 || {
    cat "$work/log" >&2
    exit 1
}
package=$(basename "$work"/out/*.rpm)
mv "$work/out/$package" "$out/$package"
echo "rpm.sh: $out/$package: $(stat -c %s "$out/$package") bytes"
