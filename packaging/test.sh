#!/bin/sh
# Tries the static programs: builds them by build.sh, then runs the deployment of
# compat/nanokvm with each, other processors in QEMU's user emulation, and says how long a
# start takes and how much memory is in use.
#
#   packaging/test.sh [x86_64|riscv64|aarch64|armv7]...       default: riscv64
#
# Needs what test.sh needs, and Debian's qemu-user-static. Exit status 0: all of them work;
# 3: Debian's packages for another processor cannot be had here, so that nothing was tried;
# else something does not work.
set -eu
cd "$(dirname "$0")/.."
[ $# -gt 0 ] || set -- riscv64
for processor in "$@"; do
    packaging/build.sh "$processor"
done
for processor in "$@"; do
    name=$processor
    [ "$processor" != x86_64 ] || name=this_machine
    cargo test --test nanokvm -- --include-ignored --nocapture --exact "static_program_for_$name"
done
