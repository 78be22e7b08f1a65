#!/bin/sh
# Shows that the same sources make the same bytes: the last commit is built twice, in two folders, one after the
# other, with another home of cargo, another time zone, language and umask, and what comes of it is compared.
#
#   packaging/reproduce.sh [x86_64|riscv64|aarch64|armv7]...       default: x86_64
#
# Compared are the static programs (packaging/build.sh), the Debian package, the Python wheel, the container image and (where
# rpmbuild is installed) the RPM package of them, sources with libraries and recipes, the
# packages for Rust's registry and the bill of materials. Exit status: 0 equal, 1 not, 3 a processor cannot be built for here.
set -eu
cd "$(dirname "$0")/.."
[ $# -gt 0 ] || set -- x86_64
built=${CARGO_TARGET_DIR:-target}
mkdir -p "$built"
work=$(mktemp -d "$(cd "$built" && pwd)/reproduce.XXXXXX")
trap 'rm -rf "$work"' EXIT
: "${CARGO_HOME:=$HOME/.cargo}"
: "${CROSS:=$PWD/target/cross}"
export CROSS DEBFULLNAME='ipmi_sim' DEBEMAIL='ipmi_sim@example.org'

# FOLDER PROCESSOR...: everything, from the sources in it, into FOLDER/target/dist.
make_all() (
    cd "$1"
    shift
    unset CARGO_TARGET_DIR SOURCE_DATE_EPOCH
    for processor in "$@"; do
        packaging/build.sh "$processor" || exit
        PROGRAMS=target/dist/$processor ARCH=$(debian_name "$processor") packaging/debian.sh || exit 1
        PROGRAMS=target/dist/$processor packaging/wheel.sh "$processor" || exit 1
        packaging/image.sh "$processor" || exit 1
        command -v rpmbuild >/dev/null || continue
        PROGRAMS=target/dist/$processor ARCH=$(rpm_name "$processor") packaging/rpm.sh || exit 1
    done
    CHECKERS=none packaging/sbom.sh || exit 1
    packaging/source.sh || exit 1
    QUICK=yes packaging/crates.sh || exit 1
)
rpm_name() {
    case $1 in
    armv7) echo armv7hl ;;
    *) echo "$1" ;;
    esac
}
debian_name() {
    case $1 in
    x86_64) echo amd64 ;;
    aarch64) echo arm64 ;;
    armv7) echo armhf ;;
    *) echo "$1" ;;
    esac
}
# A clone, for what is packed says of which commit it is.
copy() {
    mkdir -p "$(dirname "$1")"
    git clone --quiet --no-hardlinks . "$1"
}

first=$work/one second="$work/another one/further down"
copy "$first"
(umask 022 && TZ=UTC LC_ALL=C make_all "$first" "$@")
copy "$second"
# What was downloaded need not be downloaded again.
mkdir "$work/home"
for part in registry git; do
    [ ! -e "$CARGO_HOME/$part" ] || ln -s "$CARGO_HOME/$part" "$work/home/$part"
done
(umask 077 && export TZ=Asia/Kathmandu LC_ALL=C.UTF-8 CARGO_HOME="$work/home" && make_all "$second" "$@")

status=0
(cd "$first/target/dist" && find . -type f | LC_ALL=C sort) >"$work/list"
(cd "$second/target/dist" && find . -type f | LC_ALL=C sort) | cmp -s - "$work/list" || {
    echo "reproduce.sh: the two builds made other files" >&2
    status=1
}
while read -r file; do
    if cmp -s "$first/target/dist/$file" "$second/target/dist/$file"; then
        echo "reproduce.sh: equal: ${file#./} $(sha256sum <"$first/target/dist/$file" | cut -c 1-16)"
    else
        echo "reproduce.sh: DIFFERS: ${file#./}" >&2
        status=1
    fi
done <"$work/list"
exit "$status"
