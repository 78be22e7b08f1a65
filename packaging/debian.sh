#!/bin/sh
# Makes the Debian package ipmi-sim from packaging/debian, the manual pages, the completions
# and the programs.
#
#   packaging/debian.sh [FOLDER]
#
# FOLDER (default: target/dist) gets ipmi-sim_VERSION_ARCH.deb. Needs dpkg-dev and binutils.
#
# Settings:
#   PROGRAMS    a folder with ipmi_sim, ipmi_simctl and sdrcomp that were built before; without it they are
#               built here, for this machine. What packaging/build.sh made will do, with ARCH
#   ARCH        Debian's name of their processor (amd64, arm64, armhf, riscv64); default: this machine's
#   DEBFULLNAME, DEBEMAIL  who stands in the package as its maintainer; default: as Git knows
set -eu
umask 022
cd "$(dirname "$0")/.."

die() {
    echo "debian.sh: $*" >&2
    exit 1
}
for need in dpkg-deb:dpkg dpkg-shlibdeps:dpkg-dev strip:binutils gzip:gzip; do
    command -v "${need%%:*}" >/dev/null || die "${need%%:*} is missing: apt-get install ${need##*:}"
done

out=${1:-target/dist}
: "${ARCH:=$(dpkg --print-architecture)}"
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1)
[ "$version" = "$(sed -n '1s/^ipmi-sim (\(.*\)) .*/\1/p' packaging/debian/changelog)" ] ||
    die "packaging/debian/changelog does not begin with version $version of Cargo.toml"
name=${DEBFULLNAME:-$(git log -1 --format=%an 2>/dev/null || :)}
mail=${DEBEMAIL:-$(git log -1 --format=%ae 2>/dev/null || :)}
maintainer="${name:-ipmi_sim} <${mail:-root@localhost}>"

if [ -z "${PROGRAMS:-}" ]; then
    [ "$ARCH" = "$(dpkg --print-architecture)" ] || die "PROGRAMS has to say where the programs for $ARCH are"
    # Folders of this machine are nobody's business. In a folder of its own, or a developer's programs would be built anew.
    CARGO_ENCODED_RUSTFLAGS=$(packaging/rustflags.sh) cargo build --release --locked --bins \
        --target-dir "${CARGO_TARGET_DIR:-target}/debian"
    PROGRAMS=${CARGO_TARGET_DIR:-target}/debian/release
fi

mkdir -p "$out"
work=$(mktemp -d "$out/debian.XXXXXX")
trap 'rm -rf "$work"' EXIT
root=$work/debian/ipmi-sim
ours=packaging/debian
doc=$root/usr/share/doc/ipmi-sim

file() { install -D -m 0644 "$1" "$2"; }
packed() {
    mkdir -p "$(dirname "$2")"
    sed "s/@MAINTAINER@/$maintainer/" "$1" | gzip -9n >"$2"
    chmod 0644 "$2"
}

PROGRAMS=$PROGRAMS SERVICE=debian ZSH=/usr/share/zsh/vendor-completions LICENSES='' packaging/install.sh "$root"
# Programs of another processor were stripped when they were built.
for program in "$root"/usr/bin/*; do
    strip --strip-unneeded --remove-section=.comment --remove-section=.note "$program" 2>/dev/null || :
done
gzip -9n "$root"/usr/share/man/man*/*
packed $ours/changelog "$doc/changelog.gz"
file $ours/README.md "$doc/README.Debian"
file $ours/copyright "$doc/copyright"
for page in README.md compat/DIFFERENCES.md docs/SECURITY.md docs/MIGRATION.md; do
    packed "$page" "$doc/$(basename "$page").gz"
done
cp -rL examples "$doc/examples"
chmod -R u=rwX,go=rX "$doc/examples"
file $ours/lintian-overrides "$root/usr/share/lintian/overrides/ipmi-sim"

# What the programs need of the system: nothing for static ones.
mkdir -p "$root/DEBIAN"
printf 'Source: ipmi-sim\n\nPackage: ipmi-sim\nArchitecture: any\n' >"$work/debian/control"
depends=
if LC_ALL=C readelf -l "$root/usr/bin/ipmi_sim" | grep -q INTERP; then
    depends=$(cd "$work" && dpkg-shlibdeps -O debian/ipmi-sim/usr/bin/* |
        sed -n 's/^shlibs:Depends=//p')
    [ -n "$depends" ] || die "dpkg-shlibdeps does not say what the programs need"
    depends="$depends, "
else
    cat $ours/lintian-overrides.static >>"$root/usr/share/lintian/overrides/ipmi-sim"
    # Which C library is in them is known to who built them.
    library=$PROGRAMS/copyright.static
    [ -e "$library" ] || library=$ours/copyright.static
    cat "$library" >>"$doc/copyright"
fi
sed -e "s/@VERSION@/$version/" -e "s/@ARCH@/$ARCH/" -e "s/@MAINTAINER@/$maintainer/" -e "s/@DEPENDS@/$depends/" \
    -e "s/@SIZE@/$(du -k -s --apparent-size --exclude=DEBIAN "$root" | cut -f 1)/" $ours/control >"$root/DEBIAN/control"
file $ours/conffiles "$root/DEBIAN/conffiles"
for script in preinst postinst prerm postrm; do
    install -m 0755 "$ours/$script" "$root/DEBIAN/$script"
done
(cd "$root" && find . -type f ! -path './DEBIAN/*' | LC_ALL=C sort | sed 's|^\./||' | xargs -d '\n' md5sum >DEBIAN/md5sums)
chmod 0644 "$root/DEBIAN/md5sums"

# The same sources make the same package, whenever it is built.
: "${SOURCE_DATE_EPOCH:=$(date -d "$(sed -n 's/^ -- .*>  //p' $ours/changelog | head -n 1)" +%s)}"
export SOURCE_DATE_EPOCH
find "$root" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
package=$out/ipmi-sim_${version}_$ARCH.deb
dpkg-deb --root-owner-group --build "$root" "$package" >/dev/null
echo "debian.sh: $package: $(stat -c %s "$package") bytes"
