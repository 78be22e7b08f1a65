#!/bin/sh
# Makes the packages for Rust's registry, and shows that nothing is missing in them.
#
#   packaging/crates.sh [FOLDER]
#
# FOLDER (default: target/dist) gets ipmi_sim-VERSION.crate and those of its three libraries. Each is built from
# its own content, and the tests beside the code of ipmi_sim run from it. Then what packaging/source.sh makes of the last
# commit, sources and libraries, is built with an empty CARGO_HOME: what a
# distribution does that has no network. Needs git and cargo; with --locked and, once the libraries have been downloaded, offline.
#
# Setting: QUICK=yes only makes the packages.
set -eu
cd "$(dirname "$0")/.."
out=${1:-target/dist}
: "${QUICK:=no}"
mkdir -p "$out"
out=$(cd "$out" && pwd)
built=$(cargo metadata --format-version 1 --no-deps --offline | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')
work=$(mktemp -d "$built/crates.XXXXXX")
trap 'rm -rf "$work"' EXIT
say() { echo "crates.sh: $*"; }

# What is not committed is not handed out.
dirty=
[ -z "$(git status --porcelain --untracked-files=no)" ] || {
    say "there are changes that are not committed: these packages are for trying only"
    dirty=--allow-dirty
}
verify=
[ "$QUICK" = no ] || verify=--no-verify
# compat/bench measures, and is not handed out. Tests with real clients stay with the project, which cargo tells one by one.
# In a folder of its own: cargo keeps what it has unpacked by the path of that, and takes it for a later package of the
# same version.
# shellcheck disable=SC2086 # words on purpose
cargo package --quiet --workspace --exclude ipmi_sim-bench --locked --offline --target-dir "$work/target" $dirty $verify 2>"$work/log" || {
    grep -v '^warning: ignoring test' "$work/log" >&2
    exit 1
}
grep -v -e '^warning: ignoring test' "$work/log" || :
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1)
for package in ipmi_sim_crypto ipmi_sim_core ipmi_sim_client ipmi_sim; do
    file=$package-$version.crate
    cp "$work/target/package/$file" "$out/$file"
    for licence in LICENSE-MIT LICENSE-APACHE; do
        tar -tzf "$out/$file" | grep -q "^$package-$version/$licence\$" || {
            say "$file has no $licence" >&2
            exit 1
        }
    done
    say "$out/$file: $(stat -c %s "$out/$file") bytes"
done
[ "$QUICK" = no ] || exit 0

# A workspace of the four packages as they were unpacked, for what ipmi_sim asks of the others is in no registry yet.
mkdir "$work/packages"
for package in ipmi_sim_crypto ipmi_sim_core ipmi_sim_client ipmi_sim; do
    tar -xzf "$out/$package-$version.crate" -C "$work/packages"
done
{
    echo '[workspace]'
    echo '[patch.crates-io]'
    for package in ipmi_sim_crypto ipmi_sim_core ipmi_sim_client; do
        echo "$package = { path = \"../$package-$version\" }"
    done
} >>"$work/packages/ipmi_sim-$version/Cargo.toml"
(
    cd "$work/packages/ipmi_sim-$version"
    # The patch above is not in the lock file of the package.
    cargo test --quiet --offline --lib --target-dir "$built/crates"
) >"$work/log" 2>&1 || {
    tail -n 40 "$work/log" >&2
    say "the tests of the package fail" >&2
    exit 1
}
say "tests of ipmi_sim-$version.crate: $(grep '^test result' "$work/log")"

# The vendored form, as it is handed out.
mkdir "$work/unpacked" "$work/home"
packaging/source.sh "$work/sources" >"$work/log" || {
    cat "$work/log" >&2
    exit 1
}
tar -xzf "$work/sources/ipmi_sim-$version.tar.gz" -C "$work/unpacked"
tar -xzf "$work/sources/ipmi_sim-$version-vendor.tar.gz" -C "$work/unpacked/ipmi_sim-$version"
(
    cd "$work/unpacked/ipmi_sim-$version"
    CARGO_HOME=$work/home cargo build --quiet --offline --locked --bins --target-dir "$built/vendored"
) >"$work/log" 2>&1 || {
    tail -n 40 "$work/log" >&2
    say "the sources do not build with a folder of libraries alone" >&2
    exit 1
}
said=$("$built/vendored/debug/ipmi_sim" --version 2>/dev/null | tail -n 1)
[ "$said" = "ipmi_sim $version" ] || {
    say "what was built says it is $said" >&2
    exit 1
}
say "built from the sources and a folder of libraries, offline: $said"
