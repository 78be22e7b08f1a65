#!/bin/sh
# Builds the programs for one processor, static: without any shared library.
#
#   packaging/build.sh x86_64|riscv64|aarch64|armv7 [FOLDER]
#
# FOLDER (default: target/dist/TARGET) gets ipmi_sim and sdrcomp, and their sizes are said.
#
# Where this machine's Rust has a standard library for the processor and there is a cross
# compiler, these are used. Otherwise a Debian with its own Rust and cross compiler is put
# into target/cross/root (once, about 2 GB; needs root and debootstrap) and the build is run
# in there, without network. Its C library is the one of Debian 12: programs linked with a
# newer one ask kernels and emulators for calls that not all of them know.
#
# Settings: MIRROR (default: http://deb.debian.org/debian), CROSS (default: target/cross).
set -eu
cd "$(dirname "$0")/.."
: "${MIRROR:=http://deb.debian.org/debian}"
: "${CROSS:=$PWD/target/cross}"

say() { echo "build.sh: $*"; }
die() {
    echo "build.sh: $*" >&2
    exit 1
}

# triple: Rust's name; gcc: the cross compiler's prefix; arch: Debian's name
case ${1:-} in
x86_64) triple=x86_64-unknown-linux-gnu gcc=x86_64-linux-gnu arch=amd64 ;;
riscv64) triple=riscv64gc-unknown-linux-gnu gcc=riscv64-linux-gnu arch=riscv64 ;;
aarch64) triple=aarch64-unknown-linux-gnu gcc=aarch64-linux-gnu arch=arm64 ;;
armv7) triple=armv7-unknown-linux-gnueabihf gcc=arm-linux-gnueabihf arch=armhf ;;
*) die "usage: packaging/build.sh x86_64|riscv64|aarch64|armv7 [FOLDER]" ;;
esac
target=$1
out=${2:-target/dist/$target}
variable=CARGO_TARGET_$(echo "$triple" | tr 'a-z-' 'A-Z_')_LINKER
flags="-C target-feature=+crt-static -C relocation-model=static -C link-arg=-no-pie"

# The same words here and in the other root.
build() { # FOLDER OF THE BUILD, more words for cargo
    folder=$1
    shift
    env "$variable=$gcc-gcc" RUSTFLAGS="$flags" CARGO_TARGET_DIR="$folder" \
        cargo build --release --locked --bins --target "$triple" "$@"
}

# A Debian root with Rust for every processor; what is already there is not done again.
prepare_root() {
    root=$CROSS/root
    [ "$(id -u)" -eq 0 ] || die "this Rust knows no $triple; setting up another one needs root"
    command -v debootstrap >/dev/null || die "debootstrap is missing: apt-get install debootstrap"
    if [ ! -e "$root/.ready" ]; then
        say "this machine's Rust has no standard library for $triple: taking Debian's (sid), into $root"
        rm -rf "$root"
        mkdir -p "$root"
        debootstrap --variant=minbase --include=rustc,cargo,gcc sid "$root" "$MIRROR" >"$CROSS/debootstrap.log" 2>&1 ||
            die "debootstrap failed, see $CROSS/debootstrap.log"
        echo "deb $MIRROR bookworm main" >"$root/etc/apt/sources.list.d/bookworm.list"
        for a in riscv64 arm64 armhf; do chroot "$root" dpkg --add-architecture "$a"; done
        # A mirror's copy of sid may be some days older than its own date of expiry.
        chroot "$root" apt-get -q update -o Acquire::Check-Valid-Until=false >>"$CROSS/debootstrap.log" 2>&1 ||
            die "apt-get update failed, see $CROSS/debootstrap.log"
        touch "$root/.ready"
    fi
    [ ! -e "$root/.ready-$target" ] || return 0
    say "adding the cross compiler and Rust's standard library for $arch"
    cat >"$root/prepare.sh" <<END
set -eu
export DEBIAN_FRONTEND=noninteractive
apt-get install -q -y --no-install-recommends gcc-$(echo "$gcc" | tr _ -)/sid
mkdir -p /packages
cd /packages
version=\$(dpkg-query -W -f '\${Version}' rustc)
apt-get download -q libstd-rust-dev:$arch="\$version"
apt-get download -q -t bookworm libc6-$arch-cross/bookworm libc6-dev-$arch-cross/bookworm linux-libc-dev-$arch-cross/bookworm
for file in *.deb; do dpkg -x "\$file" /; done
rm -rf /packages
END
    chroot "$root" sh /prepare.sh >>"$CROSS/debootstrap.log" 2>&1 || die "failed, see $CROSS/debootstrap.log"
    touch "$root/.ready-$target"
}

mkdir -p "$CROSS" "$out"
if [ -d "$(rustc --print sysroot)/lib/rustlib/$triple" ] && command -v "$gcc-gcc" >/dev/null; then
    say "building with this machine's $(rustc --version)"
    build "$PWD/target/static"
    built=target/static
else
    prepare_root
    say "building with Debian's $(chroot "$root" rustc --version)"
    # The sources and every dependency go in as files: nothing in there needs a network.
    rm -rf "$root/build" "$CROSS/vendor"
    mkdir -p "$root/build/.cargo"
    cargo vendor -q --locked "$CROSS/vendor"
    tar -c --exclude ./target --exclude ./.git . | tar -x -C "$root/build"
    mv "$CROSS/vendor" "$root/build/vendor"
    cat >"$root/build/.cargo/config.toml" <<END
[source.crates-io]
replace-with = "files"
[source.files]
directory = "/build/vendor"
END
    {
        echo "variable=$variable gcc=$gcc triple=$triple flags='$flags'"
        sed -n '/^build() {/,/^}/p' packaging/build.sh
        echo "cd /build && build /out --offline"
    } >"$root/build.sh"
    chroot "$root" sh -eu /build.sh
    built=$root/out
fi
for program in ipmi_sim sdrcomp; do
    cp "$built/$triple/release/$program" "$out/$program"
    # What asks for an interpreter is not static.
    if readelf -l "$out/$program" 2>/dev/null | grep -q INTERP; then
        die "$out/$program needs shared libraries"
    fi
    say "$out/$program: $(stat -c %s "$out/$program") bytes, static"
done
