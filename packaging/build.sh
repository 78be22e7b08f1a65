#!/bin/sh
# Builds the programs for one processor, static: without any shared library.
#
#   packaging/build.sh x86_64|riscv64|aarch64|armv7 [FOLDER]
#
# FOLDER (default: target/dist/TARGET) gets ipmi_sim, ipmi_simctl and sdrcomp, and their sizes are said; and
# copyright.static, which says what C library is in them.
# The same sources and the same Rust make the same bytes, in whatever folder and whenever.
#
# Where this machine's Rust has a standard library for the processor and there is a compiler
# that links for it, these are used: with musl for a C library, which is 0.8 MB smaller and looks names up
# without files of the system's, where Rust has that (rustup target add x86_64-unknown-linux-musl). Otherwise Debian's own Rust and cross compiler are
# unpacked into target/cross/root (about 310 MB are downloaded for the first processor, 80 MB
# for each further one) and the build is run in there, without network. Nothing is installed
# on this machine, and no package's script is run. That takes apt, dpkg and either root or
# unprivileged user namespaces. The C library linked in is an older release's: a newer one's
# functions ask kernels and emulators for calls that not all of them know.
#
# Exit status: 0 done, 1 the build failed, 3 Debian's packages cannot be had or run here.
#
# Settings:
#   DOOR    no: ipmi_sim without the control door, and no ipmi_simctl, for devices where each
#           megabyte counts. FOLDER is then target/dist/TARGET-small if it is not said
#   MUSL    no: the GNU C library, even where musl could be had
#   MIRROR  a Debian archive; default: the one this machine's apt takes packages from
#   SUITE   the Debian release to take; default: forky, the first one whose Rust will do
#   LIBC    the one to take the C library from; default: trixie
#   CROSS   where all this is kept; default: target/cross
set -eu
cd "$(dirname "$0")/.."
: "${DOOR:=yes}" "${MUSL:=yes}"
: "${MIRROR:=}"
: "${SUITE:=forky}"
: "${LIBC:=trixie}"
: "${CROSS:=$PWD/target/cross}"
case $CROSS in /*) ;; *) CROSS=$PWD/$CROSS ;; esac
root=$CROSS/root
log=$CROSS/packages.log

say() { echo "build.sh: $*"; }
die() {
    echo "build.sh: $*" >&2
    exit 1
}
# The same, where the fault is not the program's.
unable() {
    echo "build.sh: $*" >&2
    exit 3
}

# triple: Rust's name; gcc: the compiler's prefix; arch: Debian's name
case ${1:-} in
x86_64) triple=x86_64-unknown-linux-gnu gcc=x86_64-linux-gnu arch=amd64 ;;
riscv64) triple=riscv64gc-unknown-linux-gnu gcc=riscv64-linux-gnu arch=riscv64 ;;
aarch64) triple=aarch64-unknown-linux-gnu gcc=aarch64-linux-gnu arch=arm64 ;;
armv7) triple=armv7-unknown-linux-gnueabihf gcc=arm-linux-gnueabihf arch=armhf ;;
*) die "usage: packaging/build.sh x86_64|riscv64|aarch64|armv7 [FOLDER]" ;;
esac
target=$1
case $DOOR in
yes) features='' programs='ipmi_sim ipmi_simctl sdrcomp' kind='' ;;
no) features='--no-default-features --features program' programs='ipmi_sim sdrcomp' kind=-small ;;
*) die "DOOR is yes or no" ;;
esac
out=${2:-target/dist/$target$kind}
# The random source is the system call: a static program cannot look up at run time whether its C
# library has it, and would need /dev/urandom instead. tests/container.rs reads this line, too.
# shellcheck disable=SC2089 # the quotes are for the compiler
flags='--cfg=getrandom_backend="linux_getrandom" -C target-feature=+crt-static -C relocation-model=static -C link-arg=-no-pie'
# For releases, in which nothing unwinds. The file is looked for in the project's folder.
trim='-C link-arg=-Wl,-T,packaging/static.ld'

# COMMAND, with the settings by which cargo builds static programs for the processor.
static_for_target() (
    export "CARGO_TARGET_$(echo "$triple" | tr 'a-z-' 'A-Z_')_LINKER=$gcc-gcc"
    # For a library with some lines of assembler.
    export "CC_$(echo "$triple" | tr - _)=$gcc-gcc"
    # shellcheck disable=SC2086,SC2090 # words on purpose
    CARGO_ENCODED_RUSTFLAGS=$(packaging/rustflags.sh $flags $trim)
    export CARGO_ENCODED_RUSTFLAGS
    # shellcheck disable=SC2086 # words on purpose
    "$@" --locked --release --bins $features --target "$triple"
)

# The archive this machine's apt uses: the main one, not the one of security updates. As apt
# reads its own files, in each of their two formats.
machines_mirror() {
    apt-get indextargets --no-release-info --format '$(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
        grep -E '^(https?|file|copy|mirror[^:]*):.*/debian(/[0-9TZ]+)?/?$' | head -n 1
}

# apt with folders of its own below $CROSS/apt: this machine's packages are not touched, but
# its settings (a proxy, say) and its keys hold.
own_apt() {
    APT_CONFIG=$CROSS/apt/apt.conf timeout 900 apt-get -q "$@" >>"$log" 2>&1 || {
        tail -n 5 "$log" >&2
        unable "apt-get $* failed (no network?), see $log"
    }
}

# Debian's Rust with what it needs, and what is wanted for this processor, unpacked. What is
# already there is not done again.
prepare_root() {
    [ ! -e "$root/ready/$target" ] || return 0
    command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null ||
        unable "this machine's Rust and compiler cannot build for $triple, and without apt and dpkg others cannot be had"
    [ -n "$MIRROR" ] || MIRROR=$(machines_mirror)
    [ -n "$MIRROR" ] || unable "apt's sources name no Debian archive: set MIRROR to the address of one"
    say "this machine's Rust and compiler cannot build for $triple: taking Debian's ($SUITE) into $root"
    own=$(dpkg --print-architecture)
    mkdir -p "$CROSS/apt/lists/partial" "$CROSS/apt/cache/archives/partial" "$CROSS/apt/dpkg"
    # No package is there yet: apt finds out what belongs to what is wanted.
    : >"$CROSS/apt/dpkg/status"
    # Where the keys have a file of their own, apt has to be told.
    keys=/usr/share/keyrings/debian-archive-keyring.gpg options=
    [ ! -e "$keys" ] || options="[signed-by=$keys]"
    for suite in "$SUITE" "$LIBC"; do echo "deb $options $MIRROR $suite main"; done >"$CROSS/apt/sources.list"
    cat >"$CROSS/apt/apt.conf" <<END
#clear APT::Update;
#clear DPkg;
Dir::Etc::SourceList "$CROSS/apt/sources.list";
Dir::Etc::SourceParts "/dev/null";
Dir::Etc::Preferences "/dev/null";
Dir::Etc::PreferencesParts "/dev/null";
Dir::State "$CROSS/apt";
Dir::State::status "$CROSS/apt/dpkg/status";
Dir::Cache "$CROSS/apt/cache";
APT::Architecture "$own";
APT::Architectures { "$own"; "$arch"; };
APT::Default-Release "$SUITE";
APT::Install-Recommends "false";
APT::Sandbox::User "root";
Acquire::Languages "none";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
Acquire::Retries "3";
END
    : >"$log"
    own_apt update
    say "downloading packages"
    own_apt -y --download-only install rustc cargo gcc libc6-dev "gcc-$(echo "$gcc" | tr _ -)"
    # Of these only the files are wanted, not what they ask for.
    mkdir -p "$CROSS/apt/more"
    (
        cd "$CROSS/apt/more"
        own_apt download "libstd-rust-dev:$arch"
        [ "$arch" = "$own" ] || own_apt download "libc6-dev-$arch-cross/$LIBC" "libc6-$arch-cross/$LIBC"
    )
    say "unpacking packages"
    # Where packages of today put their files, /bin and the like are links.
    for folder in bin sbin lib lib64; do
        mkdir -p "$root/usr/$folder"
        [ -e "$root/$folder" ] || ln -s "usr/$folder" "$root/$folder"
    done
    # This one the packages' scripts would make.
    [ -e "$root/usr/bin/cc" ] || ln -s gcc "$root/usr/bin/cc"
    mkdir -p "$root/dev" "$root/tmp" "$root/ready"
    for package in "$CROSS"/apt/cache/archives/*.deb "$CROSS"/apt/more/*.deb; do
        [ -e "$root/ready/${package##*/}" ] || dpkg-deb -x "$package" "$root" || unable "$package cannot be unpacked"
        : >"$root/ready/${package##*/}"
    done
    : >"$root/ready/$target"
}

# COMMAND in that root.
inside() (
    export PATH=/usr/bin:/usr/sbin:/bin:/sbin HOME=/tmp CARGO_HOME=/cargo
    if [ "$(id -u)" -eq 0 ]; then
        [ -c "$root/dev/null" ] || cp -a /dev/null "$root/dev/null"
        chroot "$root" "$@"
    else
        # shellcheck disable=SC2016 # for the inner shell
        unshare --map-root-user --mount sh -c 'mount --rbind /dev "$0/dev" && exec chroot "$0" "$@"' "$root" "$@"
    fi
)

# Whether this machine's Rust can build for that.
can() { [ -d "$(rustc --print sysroot)/lib/rustlib/$1" ] && command -v "$gcc-gcc" >/dev/null; }

command -v readelf >/dev/null || die "readelf is missing: apt-get install binutils"
mkdir -p "$CROSS" "$out"
musl=$(echo "$triple" | sed 's/-gnu/-musl/')
library=$(cat packaging/debian/copyright.static)
if [ "$MUSL" = yes ] && can "$musl"; then
    triple=$musl
    library=$(cat packaging/debian/copyright.musl)
fi
if can "$triple"; then
    say "building for $triple with this machine's $(rustc --version)"
    static_for_target cargo build --target-dir target/static
    built=target/static
else
    prepare_root
    version=$(inside rustc --version) || unable "programs in $root cannot be run"
    say "building with Debian's $version"
    # The sources and every dependency go in as files: nothing in there needs a network.
    rm -rf "$root/build" "$root/cargo"
    mkdir -p "$root/build" "$root/cargo"
    cargo vendor -q --locked "$root/cargo/vendor" >/dev/null
    tar -c --exclude ./target --exclude ./.git . | tar -x -C "$root/build"
    cat >"$root/cargo/config.toml" <<END
[source.crates-io]
replace-with = "files"
[source.files]
directory = "/cargo/vendor"
END
    static_for_target inside cargo build --offline --manifest-path /build/Cargo.toml --target-dir /out
    built=$root/out
fi
for program in $programs; do
    cp "$built/$triple/release/$program" "$out/$program"
    # What asks for an interpreter or a library is not static.
    if readelf -l -d "$out/$program" | grep -q -e INTERP -e NEEDED; then
        die "$out/$program needs shared libraries"
    fi
    say "$out/$program: $(stat -c %s "$out/$program") bytes, static"
done
echo "$library" >"$out/copyright.static"
