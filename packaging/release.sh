#!/bin/sh
# Makes everything of a release in one go, from the last commit, and says at the end what was made and what was checked.
#
#   packaging/release.sh [PROCESSOR]...       default: x86_64 aarch64 riscv64 armv7
#
# target/dist gets it all, with SHA256SUMS; what was in there before is removed. Needs what the scripts need
# that it calls, and lintian. What cannot be made here (another processor without network, say) is left out and
# listed. Exit status 0: nothing failed.
set -u
cd "$(dirname "$0")/.." || exit 1
[ $# -gt 0 ] || set -- x86_64 aarch64 riscv64 armv7
out=target/dist
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1)
say() { echo "release.sh: $*"; }
[ -z "$(git status --porcelain --untracked-files=no)" ] || {
    say "there are changes that are not committed" >&2
    exit 1
}
. packaging/steps.sh

debian_name() {
    case $1 in
    x86_64) echo amd64 ;;
    aarch64) echo arm64 ;;
    armv7) echo armhf ;;
    *) echo "$1" ;;
    esac
}
# The time of the last commit: what is packed has it, whenever it is packed.
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH

# PROCESSOR: the programs with pages, completions and licences, as one file for any Linux.
archive() {
    folder=ipmi_sim-$version-linux-$1
    rm -rf "${out:?}/$folder"
    mkdir -p "$out/$folder" || return 1
    cp -R "$out/$1/." "$out/$folder" &&
        cp -RL README.md CHANGELOG.md LICENSE-MIT LICENSE-APACHE packaging/debian/copyright packaging/completions "$out/$folder" &&
        mkdir "$out/$folder/man" && cp packaging/man/*.[15] "$out/$folder/man" &&
        tar -C "$out" --sort=name --format=ustar --owner=0 --group=0 --numeric-owner --mtime="@$SOURCE_DATE_EPOCH" \
            --mode=u=rwX,go=rX -cf - "$folder" | gzip -9n >"$out/$folder.tar.gz" || return 1
    # What is in them says what they also hold, being static.
    rm -r "${out:?}/$folder"
    say "$out/$folder.tar.gz: $(stat -c %s "$out/$folder.tar.gz") bytes"
}
debian_package() {
    PROGRAMS=$out/$1 ARCH=$(debian_name "$1") packaging/debian.sh "$out"
}
rpm_package() {
    command -v rpmbuild >/dev/null || return 3
    case $1 in
    armv7) arch=armv7hl ;;
    *) arch=$1 ;;
    esac
    PROGRAMS=$out/$1 ARCH=$arch packaging/rpm.sh "$out"
}
wheel() { PROGRAMS=$out/$1 packaging/wheel.sh "$1" "$out"; }
image() {
    made=
    for processor in "$@"; do
        [ ! -x "$out/$processor/ipmi_sim" ] || made="$made $processor"
    done
    # shellcheck disable=SC2086 # words on purpose
    [ -n "$made" ] && packaging/image.sh $made
}
# Hints are looked at where the package is tested (tests/package.rs): random bytes of a static program look like words.
lint() {
    command -v lintian >/dev/null || return 3
    lintian --allow-root --fail-on error,warning "$out"/*.deb
}
lint_rpm() {
    command -v rpmlint >/dev/null && ls "$out"/*.rpm >/dev/null 2>&1 || return 3
    rpmlint -c packaging/rpm/rpmlint.toml "$out"/*.rpm
}
# The programs of this machine's processor say which version they are.
runs() {
    [ -x "$out/$(uname -m)/ipmi_sim" ] || return 3
    [ "$("$out/$(uname -m)/ipmi_sim" --version -c examples/minimal/lan.conf | tail -n 1)" = "ipmi_sim $version" ] &&
        [ "$("$out/$(uname -m)/ipmi_simctl" --version)" = "ipmi_simctl $version" ] &&
        [ "$("$out/$(uname -m)/sdrcomp" --version)" = "sdrcomp $version" ]
}
sums() {
    (cd "$out" && find . -type f ! -name SHA256SUMS | LC_ALL=C sort | sed 's|^\./||' | xargs -d '\n' sha256sum >SHA256SUMS &&
        sha256sum --quiet -c SHA256SUMS)
}

say "version $version of commit $(git log -1 --format=%H), $(rustc --version)"
rm -rf "$out"
mkdir -p "$out" || exit 1
# What is handed out, a line each. A step is a command; it puts files into target/dist.
for processor in "$@"; do
    step "static programs, $processor" packaging/build.sh "$processor"
    [ -x "$out/$processor/ipmi_sim" ] || continue
    step "archive, $processor" archive "$processor"
    step "Debian package, $processor" debian_package "$processor"
    step "RPM package, $processor" rpm_package "$processor"
    step "Python wheel, $processor" wheel "$processor"
    step "programs without the control door, $processor" env DOOR=no packaging/build.sh "$processor"
done
step "container image" image "$@"
step "sources, libraries and recipes" packaging/source.sh
step "packages for Rust's registry" packaging/crates.sh
step "bill of materials" packaging/sbom.sh
step "check: lintian" lint
step "check: rpmlint" lint_rpm
step "check: the programs run" runs
step "checksums" sums

echo "== made"
(cd "$out" && find . -type f -printf '%10s %P\n' | LC_ALL=C sort -k 2)
echo "== summary$summary"
exit "$failed"
