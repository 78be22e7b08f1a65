#!/bin/sh
# Makes what distributions build from: the sources, and those of every library, so that nothing is
# downloaded while a package is built.
#
#   packaging/source.sh [FOLDER]
#
# FOLDER (default: target/dist) gets ipmi_sim-VERSION.tar.gz and ipmi_sim-VERSION-vendor.tar.gz, and in
# recipes/ those for Alpine, OpenWrt and Buildroot with the checksums of these files filled in.
# The sources are those of Git's last commit. Needs git, tar, gzip and cargo, which downloads the
# libraries that it does not have yet.
set -eu
umask 022
cd "$(dirname "$0")/.."
out=${1:-target/dist}
mkdir -p "$out"
out=$(cd "$out" && pwd)
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1)
name=ipmi_sim-$version
work=$(mktemp -d "$out/source.XXXXXX")
trap 'rm -rf "$work"' EXIT
: "${SOURCE_DATE_EPOCH:=$(git log -1 --format=%ct)}"
# The same commit makes the same file, whenever and wherever.
packed() { # FOLDER: its files, as a tar file on standard output
    tar -C "$1" --sort=name --format=ustar --owner=0 --group=0 --numeric-owner --mtime="@$SOURCE_DATE_EPOCH" \
        --mode=u=rwX,go=rX -cf - . | gzip -9n
}
mkdir "$work/source" "$work/vendor"
git archive --prefix="$name/" HEAD | tar -x -C "$work/source"
packed "$work/source" >"$out/$name.tar.gz"
mkdir "$work/vendor/.cargo"
cargo vendor -q --locked --manifest-path "$work/source/$name/Cargo.toml" "$work/vendor/vendor" >/dev/null
cat >"$work/vendor/.cargo/config.toml" <<'CONFIG'
[source.crates-io]
replace-with = "vendored-sources"

[source.vendored-sources]
directory = "vendor"
CONFIG
packed "$work/vendor" >"$out/$name-vendor.tar.gz"

sum() { "$1" "$out/$2" | cut -d ' ' -f 1; }
rm -rf "$out/recipes"
mkdir "$out/recipes"
cp -R packaging/alpine packaging/openwrt packaging/buildroot "$out/recipes"
{
    echo 'sha512sums="'
    for file in "$name.tar.gz" "$name-vendor.tar.gz"; do echo "$(sum sha512sum "$file")  $file"; done
    echo '"'
} >>"$out/recipes/alpine/APKBUILD"
sed -i "s/^PKG_HASH:=.*/PKG_HASH:=$(sum sha256sum "$name.tar.gz")/" "$out/recipes/openwrt/Makefile"
for file in "$name.tar.gz" "$name-vendor.tar.gz"; do
    echo "sha256  $(sum sha256sum "$file")  $file"
done >>"$out/recipes/buildroot/package/ipmi-sim/ipmi-sim.hash"
for file in LICENSE-MIT LICENSE-APACHE packaging/debian/copyright; do
    echo "sha256  $(sha256sum <"$work/source/$name/$file" | cut -d ' ' -f 1)  $file"
done >>"$out/recipes/buildroot/package/ipmi-sim/ipmi-sim.hash"
mkdir "$out/recipes/buildroot/sources"
ln "$out/$name.tar.gz" "$out/$name-vendor.tar.gz" "$out/recipes/buildroot/sources/"
for file in "$name.tar.gz" "$name-vendor.tar.gz"; do
    echo "source.sh: $out/$file: $(stat -c %s "$out/$file") bytes"
done
