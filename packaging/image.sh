#!/bin/sh
# Makes the container image of packaging/container/Containerfile for one or more processors, without
# a container engine.
#
#   packaging/image.sh [x86_64|aarch64|armv7|riscv64]...      default: x86_64
#
# target/dist gets ipmi_sim-VERSION-oci.tar: `podman load -i`, `docker load -i`, or
# `skopeo copy --all oci-archive:FILE docker://REGISTRY/NAME:VERSION`. Needs Python 3.9.
#
# Settings:
#   PROGRAMS  a folder with folders x86_64, aarch64, ... of static programs; default: target/dist, where
#             packaging/build.sh puts them. Those that are not there are built by it
#   OUT       where to put the image; default: target/dist
#   LEVEL     how hard to compress, 1 to 9; default: 9
set -eu
umask 022
cd "$(dirname "$0")/.."
[ $# -gt 0 ] || set -- x86_64
: "${PROGRAMS:=target/dist}" "${OUT:=target/dist}"
mkdir -p "$OUT"
processors=$*
for processor; do
    shift
    case $processor in
    x86_64 | aarch64 | armv7 | riscv64) ;;
    *)
        echo "usage: packaging/image.sh [x86_64|aarch64|armv7|riscv64]..." >&2
        exit 2
        ;;
    esac
    [ -e "$PROGRAMS/$processor/copyright.static" ] || packaging/build.sh "$processor" "$PROGRAMS/$processor"
    set -- "$@" "$processor=$PROGRAMS/$processor"
done
: "${SOURCE_DATE_EPOCH:=$(git log -1 --format=%ct 2>/dev/null || echo 0)}"
# The commit is told where there is one, and nothing was changed since.
if [ -z "${REVISION:-}" ] && git diff --quiet HEAD 2>/dev/null; then
    REVISION=$(git rev-parse HEAD)
fi
: "${REVISION:=}"
export SOURCE_DATE_EPOCH REVISION
image=$(python3 packaging/image.py "$OUT" "$@")
echo "image.sh: $image: $(stat -c %s "$image") bytes, for $processors"
